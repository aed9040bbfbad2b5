using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What the programs share.</summary>
public sealed partial class TlbDefer
{
    private enum ErrandKind
    {
        Fault,
        Page,
        Flush,
    }

    /// <summary>What a CPU does next, and with which page.</summary>
    private readonly record struct Errand(ErrandKind Kind, int Page)
    {
        internal long Raw => ((long)Page << 32) | (uint)Kind;

        internal static Errand Of(long raw) => new((ErrandKind)(int)raw, (int)(raw >> 32));
    }

    /// <summary>What all programs share.</summary>
    private sealed class World : MachineHandle
    {
        internal const int AllPages = -1;
        private readonly Promise?[] _promises;
        private readonly Operation[] _touches;
        private readonly Operation[] _frees;

        internal World(MachineModel machine, bool isFixed)
            : base(machine)
        {
            Paging paging = machine.Paging;
            Fixed = isFixed;
            Pages = paging.PageCount;
            AllCpus = (1UL << machine.Cpus.Count) - 1;
            AddressSpace space = paging.NewAddressSpace("mm");
            Table = paging.BuildPath(space, 0);
            Lock = paging.LockOf(Table.Index);
            Pending = machine.NewWord("mm->tlb_flush_batched");
            Batch = [.. Enumerable.Range(0, Pages).Select(page =>
                machine.NewLocalWord(machine.Cpus[0], $"tlb_ubc.page{page}", 0, new WordPlace("tlb_ubc", Page: page)))];
            _promises = [.. Enumerable.Range(0, machine.Cpus.Count * Pages).Select(i => i < Pages
                ? null : new Promise(machine, machine.Cpus[i / Pages], space, i % Pages, 1, PromiseKind.Removed, "madvise()"))];
            _touches = [.. Enumerable.Range(0, machine.Cpus.Count * Pages)
                .Select(i => OperationParts.Touch(machine.Cpus[i / Pages], i % Pages))];
            _frees = [.. Enumerable.Range(0, Pages).Select(frame => OperationParts.FreeFrame(machine.Cpus[0], frame))];
            FlushFunction = machine.Interrupts.RegisterAtomicFunction(new FlushHandler(machine));
            foreach (Cpu cpu in machine.Cpus)
            {
                paging.BuildLoadedRoot(cpu, space, 0);
            }
        }

        internal bool Fixed { get; }

        internal int Pages { get; }

        internal ulong AllCpus { get; }

        internal PageTable Table { get; }

        internal Spinlock Lock { get; }

        internal Word Pending { get; }

        /// <summary>1 for every page whose old frame waits for reclaim's flush.</summary>
        internal IReadOnlyList<Word> Batch { get; }

        internal int FlushFunction { get; }

        internal Promise PromiseOf(Cpu cpu, int page) => _promises[(cpu.Index * Pages) + page]!;

        internal Operation TouchOf(Cpu cpu, int page) => _touches[(cpu.Index * Pages) + page];

        /// <summary>A page has one frame, of its own number.</summary>
        internal Operation FreeOf(int page) => _frees[page];

        internal Op<Errand> NextErrand(Cpu cpu) => new(new ErrandOperation(cpu, this));

        internal Op TouchAll(Cpu cpu) => new(new TouchAllOperation(cpu, this));

        internal Op FreeBatch() => new(new FreeBatchOperation(this));

        internal int EntryAddress(int page) => Machine.Paging.EntryAddressOf(Table, page);
    }
}
