using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Symmetry;

/// <summary>
/// A random program that several CPUs run alike, each on a page of its own choice: page-table entries, frames, flushes,
/// cross-calls, locks and words that belong to nobody, to a page or to a CPU. CPU 0 runs another one.
/// </summary>
internal sealed class SymmetricProgram
{
    private readonly ImmutableArray<Act> _program;
    private readonly ImmutableArray<Act> _first;
    private readonly int _cpus;
    private readonly int _pages;
    private readonly int _framesPerPage;
    private readonly bool _mapped;
    private readonly int _seed;

    internal SymmetricProgram(int seed)
    {
        _seed = seed;
        var random = new Random(seed);
        _cpus = random.Next(2, 5);
        _pages = random.Next(1, 4);
        _framesPerPage = random.Next(1, 3);
        _mapped = random.Next(2) == 0;
        _program = Make(random, _cpus > 3 ? 3 : 5);
        _first = Make(random, 3);
    }

    private enum Act
    {
        Fault,
        Clear,
        Free,
        Protect,
        FlushPage,
        FlushAll,
        CallOthers,
        LockAll,
        Load,
        Store,
        CountShared,
        CountPage,
        CountCpu,
        LeaveName,
        Promise,
        Return,
    }

    public override string ToString()
        => $"seed {_seed}: {_cpus} CPUs, {_pages} pages, {_framesPerPage} frames each, CPU0: {string.Join(' ', _first)}; others: {string.Join(' ', _program)}";

    internal CheckModel Build()
    {
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = _cpus,
            EntriesPerTable = _pages,
            Frames = _pages * _framesPerPage,
            FrameColours = _pages,
        });
        var world = new World(machine, _mapped);
        foreach (Cpu cpu in machine.Cpus)
        {
            ImmutableArray<Act> acts = cpu.Index == 0 ? _first : _program;
            machine.AddTask(cpu, "program", () => Run(cpu, world, acts));
        }

        return new CheckModel(machine, [new PLife(), new PRet()])
        {
            Symmetry = new SymmetricParts([.. machine.Cpus.Skip(1)], Pages: true),
        };
    }

    /// <summary>Accesses and frees are more frequent than the rest, so that some programs violate a property.</summary>
    private static ImmutableArray<Act> Make(Random random, int lengthMax)
    {
        Act[] all = [.. Enum.GetValues<Act>(), Act.Clear, Act.Clear, Act.Load, Act.Load, Act.Load];
        ImmutableArray<Act>.Builder acts = ImmutableArray.CreateBuilder<Act>();
        int length = random.Next(1, lengthMax + 1);
        while (acts.Count < length)
        {
            acts.Add(all[random.Next(all.Length)]);
            if (acts[^1] == Act.Clear && random.Next(2) == 0)
            {
                acts.Add(Act.Free);
            }
        }

        return acts.ToImmutable();
    }

    private static async Proc Run(Cpu cpu, World world, ImmutableArray<Act> acts)
    {
        int page = await cpu.ChoosePage();
        Pte old = default;
        for (int i = 0; i < acts.Length; i++)
        {
            switch (acts[i])
            {
                case Act.Fault:
                    int frame = await cpu.AllocFrame(page);
                    if (frame >= 0)
                    {
                        await cpu.EntryStore(world.Table, page, Pte.Leaf(frame, write: true));
                    }

                    break;
                case Act.Clear:
                    old = await cpu.EntryExchange(world.Table, page, Pte.None, "ptep_get_and_clear");
                    break;
                case Act.Free when old.Present:
                    await cpu.FreeFrame(old.Frame);
                    old = default;
                    break;
                case Act.Protect:
                    await cpu.EntryClearBits(world.Table, page, Pte.WriteBit, "ptep_set_wrprotect");
                    break;
                case Act.FlushPage:
                    await cpu.Invlpg(page);
                    break;
                case Act.FlushAll:
                    await cpu.FlushTlbLocal();
                    break;
                case Act.CallOthers:
                    await cpu.SendIpi(world.AllCpus & ~cpu.Bit, world.Function, (ulong)(page + 1));
                    await cpu.AwaitIpiAcknowledgements();
                    break;
                case Act.LockAll:
                    await cpu.SpinLock(world.Lock);
                    await cpu.FetchOr(world.Shared, 1);
                    await cpu.SpinUnlock(world.Lock);
                    break;
                case Act.Load:
                    await cpu.AccessLoad(page);
                    break;
                case Act.Store:
                    await cpu.AccessStore(page, 1);
                    break;
                case Act.CountShared:
                    await cpu.AddReturn(world.Shared, 1);
                    break;
                case Act.CountPage:
                    await cpu.AddReturn(world.OfPage[page], 1);
                    break;
                case Act.CountCpu:
                    await cpu.AddReturn(world.OfCpu[cpu.Index], 1);
                    break;
                case Act.LeaveName:
                    await cpu.FetchOr(world.Names, cpu.Bit);
                    break;
                case Act.Promise:
                    await cpu.BeginPromise(world.PromiseOf(cpu, page));
                    break;
                case Act.Return:
                    await cpu.ReturnPromise(world.PromiseOf(cpu, page));
                    break;
                default:
                    break;
            }
        }
    }

    private sealed class World : MachineHandle
    {
        private readonly Promise[] _promises;

        internal World(MachineModel machine, bool mapped)
            : base(machine)
        {
            Paging paging = machine.Paging;
            AddressSpace space = paging.NewAddressSpace("mm");
            Table = paging.BuildPath(space, 0);
            Lock = machine.NewSpinLock("lock");
            Shared = machine.NewWord("shared");
            Names = machine.NewWord("names", 0, new WordPlace("names", Meaning: WordMeaning.CpuSet));
            OfPage = [.. Enumerable.Range(0, paging.PageCount).Select(page => machine.NewWord($"page{page}", 0, new WordPlace("page", Page: page)))];
            OfCpu = [.. machine.Cpus.Select(cpu => machine.NewWord($"cpu{cpu.Index}", 0, new WordPlace("cpu", cpu.Index)))];
            AllCpus = (1UL << machine.Cpus.Count) - 1;
            _promises = [.. Enumerable.Range(0, machine.Cpus.Count * paging.PageCount).Select(i => new Promise(
                machine, machine.Cpus[i / paging.PageCount], space, i % paging.PageCount, 1, PromiseKind.Removed, "call()"))];
            Function = machine.Interrupts.RegisterAtomicFunction(new Handler(machine));
            for (int page = 0; page < paging.PageCount && mapped; page++)
            {
                paging.BuildMapping(space, page, Pte.Leaf(page, write: true));
            }

            foreach (Cpu cpu in machine.Cpus)
            {
                paging.BuildLoadedRoot(cpu, space, 0);
            }
        }

        internal PageTable Table { get; }

        internal Spinlock Lock { get; }

        internal Word Shared { get; }

        internal Word Names { get; }

        internal ImmutableArray<Word> OfPage { get; }

        internal ImmutableArray<Word> OfCpu { get; }

        internal ulong AllCpus { get; }

        internal int Function { get; }

        internal Promise PromiseOf(Cpu cpu, int page) => _promises[(cpu.Index * OfPage.Length) + page];
    }

    private sealed class Handler(MachineModel machine) : AtomicHandler(machine)
    {
        public override string Name => "flush";

        public override bool ArgumentIsPage => true;

        public override void Run(MachineState state, Cpu self, Cpu sender)
            => TlbInspector.Flush(state, self, (int)Machine.Interrupts.ArgumentOf(state, sender) - 1);

        public override void AddFootprint(Footprint footprint, Cpu self) => TlbInspector.AddFlushFootprint(footprint, self);
    }
}
