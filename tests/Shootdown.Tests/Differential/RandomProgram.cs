using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Differential;

/// <summary>What a random instruction does.</summary>
public enum Act
{
    Load, Store, Add, Exchange, CompareExchange, Fence, Lock, Unlock, InterruptsOff, InterruptsOn, Choose,
    MapRead, MapWrite, Unmap, WriteProtect, Invlpg, FlushLocal, ShootDown, ReadEntry,
    UserLoad, UserStore, Touch, FreeFrame, Begin, Return, SwitchAway, SwitchBack,
    RcuLock, RcuUnlock, Synchronize, UnlinkTable, FreeTable, Speculate, WaitZero, MoveTable,
}

/// <summary>One instruction of a random program.</summary>
public readonly record struct Instruction(Act Act, int Operand, int Value);

/// <summary>Which kinds of instructions a family of random programs uses.</summary>
public enum Family
{
    /// <summary>Shared words, atomics, locks, fences, choices.</summary>
    Memory,

    /// <summary>One level of page tables, user accesses, flushes, IPIs, frames.</summary>
    Paging,

    /// <summary>Two levels, table freeing, walk caches, RCU.</summary>
    Tables,

    /// <summary>Two ASIDs, root switches that keep the TLB.</summary>
    Switching,

    /// <summary>Two levels, tables that move to another place while walk caches point to them.</summary>
    Moves,
}

/// <summary>A small random program for a few CPUs, made from a seed, on a machine with chosen options.</summary>
public sealed class RandomProgram
{
    private readonly Family _family;
    private readonly ImmutableArray<ImmutableArray<Instruction>> _code;

    public RandomProgram(Family family, int seed)
    {
        _family = family;
        Seed = seed;
        var random = new Random(seed);
        int cpus = family == Family.Memory ? random.Next(2, 5) : random.Next(2, 4);
        _code = [.. Enumerable.Range(0, cpus).Select(_ => Make(random, family, cpus))];
    }

    public int Seed { get; }

    public override string ToString()
        => $"{_family} seed {Seed}:\n" + string.Join('\n', _code.Select((code, cpu) => $"  CPU{cpu}: {string.Join("; ", code.Select(i => $"{i.Act} {i.Operand} {i.Value}"))}"));

    /// <summary>Builds the model; property 0 none, 1 P-life, 2 P-ret, 3 P-write. Costs are counted too if asked for.</summary>
    public CheckModel Build(
        TlbKind tlb = TlbKind.Lagging, MemoryModelKind model = MemoryModelKind.Sc, int property = 0, PCost? costs = null)
    {
        bool tables = _family is Family.Tables or Family.Moves;
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = _code.Length,
            Levels = tables ? 2 : 1,
            EntriesPerTable = 2,
            Tables = tables ? 3 : 1,
            Frames = _family == Family.Memory ? 0 : 3,
            Asids = _family == Family.Switching ? 2 : 1,
            Tlb = tlb,
            Model = model,
            StoreBufferDepth = 2,
            GracePeriods = _family == Family.Tables,
            MovableTables = _family == Family.Moves,
        });
        var env = new Environment(machine, _family, _code.Length);
        for (int cpu = 0; cpu < _code.Length; cpu++)
        {
            Cpu on = machine.Cpus[cpu];
            ImmutableArray<Instruction> code = _code[cpu];
            machine.AddTask(on, $"program{cpu}", () => Run(on, env, code));
        }

        IReadOnlyList<Property> properties = property switch { 1 => [new PLife()], 2 => [new PRet()], 3 => [new PWrite()], _ => [] };
        return new CheckModel(machine, costs is null ? properties : [.. properties, costs], []);
    }

    private static ImmutableArray<Instruction> Make(Random random, Family family, int cpus)
    {
        Act[] menu = family switch
        {
            Family.Memory => [Act.Load, Act.Load, Act.Store, Act.Store, Act.Add, Act.Exchange, Act.CompareExchange, Act.Fence, Act.Lock, Act.Choose, Act.WaitZero],
            Family.Paging => [Act.MapRead, Act.MapWrite, Act.Unmap, Act.Unmap, Act.WriteProtect, Act.Invlpg, Act.FlushLocal, Act.ShootDown,
                Act.ReadEntry, Act.UserLoad, Act.UserStore, Act.Touch, Act.FreeFrame, Act.Begin, Act.Lock, Act.InterruptsOff, Act.Load, Act.Store],
            Family.Tables => [Act.MapRead, Act.MapWrite, Act.Unmap, Act.Invlpg, Act.FlushLocal, Act.ShootDown, Act.UserLoad, Act.Touch,
                Act.UnlinkTable, Act.UnlinkTable, Act.FreeTable, Act.Speculate, Act.RcuLock, Act.Synchronize, Act.Load, Act.Store],
            Family.Moves => [Act.MapRead, Act.MapWrite, Act.Unmap, Act.WriteProtect, Act.Invlpg, Act.FlushLocal, Act.ShootDown, Act.UserLoad,
                Act.UserStore, Act.Touch, Act.MoveTable, Act.MoveTable, Act.MoveTable, Act.UnlinkTable, Act.FreeTable, Act.FreeFrame, Act.Begin],
            _ => [Act.MapRead, Act.MapWrite, Act.Unmap, Act.WriteProtect, Act.Invlpg, Act.FlushLocal, Act.ShootDown, Act.UserLoad, Act.UserStore,
                Act.Touch, Act.SwitchAway, Act.SwitchAway, Act.Load, Act.Store, Act.Begin],
        };
        int length = family == Family.Memory ? random.Next(2, 5) : random.Next(2, cpus == 2 ? 5 : 4);
        var code = ImmutableArray.CreateBuilder<Instruction>();
        for (int i = 0; i < length; i++)
        {
            Act act = menu[random.Next(menu.Length)];
            var inner = new Instruction(menu[random.Next(menu.Length)], random.Next(4), random.Next(3));
            (Act Open, Act Close)? bracket = act switch
            {
                Act.Lock => (Act.Lock, Act.Unlock),
                Act.InterruptsOff => (Act.InterruptsOff, Act.InterruptsOn),
                Act.Begin => (Act.Begin, Act.Return),
                Act.SwitchAway => (Act.SwitchAway, Act.SwitchBack),
                Act.RcuLock => (Act.RcuLock, Act.RcuUnlock),
                _ => null,
            };
            if (bracket is not { } pair)
            {
                code.Add(new Instruction(act, random.Next(4), random.Next(3)));
                continue;
            }

            int operand = random.Next(4);
            code.Add(new Instruction(pair.Open, operand, random.Next(3)));
            bool nests = inner.Act is Act.Lock or Act.InterruptsOff or Act.Begin or Act.SwitchAway or Act.RcuLock
                || (pair.Open == Act.InterruptsOff && inner.Act == Act.ShootDown)
                || (pair.Open == Act.SwitchAway && inner.Act is Act.UserLoad or Act.UserStore or Act.Touch)
                || (pair.Open == Act.RcuLock && inner.Act == Act.Synchronize);
            if (!nests)
            {
                code.Add(inner);
            }

            code.Add(new Instruction(pair.Close, operand, 0));
        }

        return code.ToImmutable();
    }

    /// <summary>Runs a program; everything that it sees goes into its result, so that final states tell runs apart.</summary>
    private static async Proc Run(Cpu cpu, Environment env, ImmutableArray<Instruction> code)
    {
        long seen = 0;
        for (int pc = 0; pc < code.Length; pc++)
        {
            seen = (seen * 31) + await Step(cpu, env, code[pc]);
        }

        await cpu.Store(env.Results[cpu.Index], unchecked((ulong)seen));
    }

    private static async Proc<long> Step(Cpu cpu, Environment env, Instruction i)
    {
        int page = i.Operand % env.Pages;
        PageTable table = env.TableOf(page);
        switch (i.Act)
        {
            case Act.Load:
                return (long)await cpu.Load(env.Words[i.Operand % 2]);
            case Act.Store:
                await cpu.Store(env.Words[i.Operand % 2], (ulong)i.Value);
                return 0;
            case Act.Add:
                return (long)await cpu.AddReturn(env.Words[i.Operand % 2], 1);
            case Act.Exchange:
                return (long)await cpu.Exchange(env.Words[i.Operand % 2], (ulong)i.Value);
            case Act.CompareExchange:
                return (long)await cpu.CompareExchange(env.Words[i.Operand % 2], 0, (ulong)i.Value);
            case Act.Fence:
                await cpu.FullBarrier();
                return 0;
            case Act.Lock:
                await cpu.SpinLock(env.Locks[i.Operand % 2]);
                return 0;
            case Act.Unlock:
                await cpu.SpinUnlock(env.Locks[i.Operand % 2]);
                return 0;
            case Act.InterruptsOff:
                await cpu.InterruptsOff();
                return 0;
            case Act.InterruptsOn:
                await cpu.InterruptsOn();
                return 0;
            case Act.Choose:
                return await cpu.Choose(2, "a way");
            case Act.WaitZero:
                return (long)await cpu.WaitUntil(env.Words[i.Operand % 2], Condition.NotEqual, (ulong)i.Value + 1);
            case Act.MapRead:
            case Act.MapWrite:
                await cpu.EntryExchange(table, page, Pte.Leaf(i.Value, i.Act == Act.MapWrite), "set");
                return 0;
            case Act.Unmap:
                return (await cpu.EntryExchange(table, page, Pte.None, "clear")).Present ? 1 : 0;
            case Act.WriteProtect:
                await cpu.EntryClearBits(table, page, Pte.WriteBit, "wrprotect");
                return 0;
            case Act.ReadEntry:
                return (long)(await cpu.EntryRead(table, page)).Bits;
            case Act.Invlpg:
                await cpu.Invlpg(page);
                return 0;
            case Act.FlushLocal:
                await cpu.FlushTlbLocal();
                return 0;
            case Act.ShootDown:
                await cpu.SendIpi(env.Everyone & ~cpu.Bit, 0);
                await cpu.AwaitIpiAcknowledgements();
                return 0;
            case Act.UserLoad:
                return (await cpu.AccessLoad(page)).Raw;
            case Act.UserStore:
                return (await cpu.AccessStore(page, i.Value + 1)).Raw;
            case Act.Touch:
                return (await cpu.AccessTouch(page)).Faulted ? 1 : 0;
            case Act.FreeFrame:
                await cpu.ReclaimFrames(1UL << i.Value, "free");
                return 0;
            case Act.Begin:
                await cpu.BeginPromise(env.Promises[(cpu.Index * 2) + (i.Operand % 2)]);
                return 0;
            case Act.Return:
                await cpu.ReturnPromise(env.Promises[(cpu.Index * 2) + (i.Operand % 2)]);
                return 0;
            case Act.SwitchAway:
                await cpu.LoadRoot(env.Spaces[1], 1, i.Value == 0);
                return 0;
            case Act.SwitchBack:
                await cpu.LoadRoot(env.Spaces[0], 0, i.Operand < 3);
                return 0;
            case Act.RcuLock:
                await cpu.RcuReadLock();
                return 0;
            case Act.RcuUnlock:
                await cpu.RcuReadUnlock();
                return 0;
            case Act.Synchronize:
                await cpu.SynchronizeRcu();
                return 0;
            case Act.UnlinkTable:
                await cpu.EntryExchange(env.Root, page, i.Value == 0 ? Pte.Table(table.Index) : Pte.None, "pmd_clear");
                return 0;
            case Act.MoveTable:
                Pte moved = await cpu.EntryExchange(env.Root, page, Pte.None, "pmd_clear");
                if (moved.Present)
                {
                    await cpu.EntryStore(env.Root, (page + 2) % env.Pages, moved, "pmd_populate");
                }

                return moved.Present ? 1 : 0;
            case Act.FreeTable:
                await cpu.FreeTable(table.Index);
                return 0;
            default:
                await cpu.SpeculativeWalks();
                return 0;
        }
    }

    /// <summary>The words, tables and handles of a program's machine.</summary>
    private sealed class Environment : MachineHandle
    {
        private readonly ImmutableArray<PageTable> _tables;

        internal Environment(MachineModel machine, Family family, int cpus)
            : base(machine)
        {
            Words = [machine.NewWord("x"), machine.NewWord("y")];
            Results = [.. Enumerable.Range(0, cpus).Select(cpu => machine.NewWord($"result{cpu}"))];
            Locks = [machine.NewSpinLock("a"), machine.NewSpinLock("b")];
            Everyone = (1UL << cpus) - 1;
            int spaces = family == Family.Switching ? 2 : 1;
            Spaces = [.. Enumerable.Range(0, 1).Select(i => machine.Paging.NewAddressSpace($"mm{i}"))];
            if (spaces == 2)
            {
                Spaces = [Spaces[0], Spaces[0]];
            }

            Pages = machine.Paging.PageCount == 4 ? 4 : 2;
            _tables = [.. Enumerable.Range(0, Pages).Select(page => machine.Paging.BuildPath(Spaces[0], page))];
            Root = new PageTable(Spaces[0].RootTable, machine.Options.Levels - 1, 0);
            Promises = [.. Enumerable.Range(0, 2 * cpus).Select(i => new Promise(
                machine, machine.Cpus[i / 2], Spaces[0], 0, Pages, i % 2 == 0 ? PromiseKind.Removed : PromiseKind.WriteProtected, "call()"))];
            if (family != Family.Memory)
            {
                machine.Paging.BuildMapping(Spaces[0], 0, Pte.Leaf(0, true));
                machine.Paging.BuildMapping(Spaces[0], 1, Pte.Leaf(1, false));
                machine.Interrupts.RegisterFunction("flush", (cpu, _) => Flush(cpu));
                foreach (Cpu cpu in machine.Cpus)
                {
                    machine.Paging.BuildLoadedRoot(cpu, Spaces[0], 0);
                }

                for (int frame = 0; frame < 3; frame++)
                {
                    machine.Paging.BuildFrame(frame);
                }
            }
        }

        internal ImmutableArray<Word> Words { get; }

        internal ImmutableArray<Word> Results { get; }

        internal ImmutableArray<Spinlock> Locks { get; }

        internal ImmutableArray<AddressSpace> Spaces { get; }

        internal ImmutableArray<Promise> Promises { get; }

        internal ulong Everyone { get; }

        internal int Pages { get; }

        internal PageTable Root { get; }

        internal PageTable TableOf(int page) => _tables.IsEmpty ? default : _tables[page];

        private static async Proc Flush(Cpu cpu) => await cpu.FlushTlbLocal();
    }
}
