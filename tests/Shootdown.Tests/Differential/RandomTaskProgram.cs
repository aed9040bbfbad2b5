using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Differential;

/// <summary>What a random instruction does.</summary>
public enum TaskAct
{
    Load, Store, Add, Touch, UserStore, Map, Unmap, WriteProtect, Invlpg, Begin, Return,
    TryGet, Put, TryPin, Unpin, CountReferences, CountPins, Lookup, Drop, Copy, Compare, FreeFrame,
    SrcuLock, SrcuUnlock, Synchronize, Sleep, MightSleep, UsePerCpu, PreemptOff, PreemptOn, MutexLock, MutexUnlock, SpinLock, SpinUnlock,
}

/// <summary>One instruction of a random program.</summary>
public readonly record struct TaskInstruction(TaskAct Act, int Operand);

/// <summary>What a family of random programs is about.</summary>
public enum TaskFamily
{
    /// <summary>References and pins of frames, lookups without a lock, entries that change under them.</summary>
    Pins,

    /// <summary>Read sections and grace periods of sleepable RCU, on CPUs of their own.</summary>
    Srcu,

    /// <summary>Tasks that sleep and go on elsewhere: locks, per-CPU objects and SRCU sections go with them.</summary>
    Movable,
}

/// <summary>A small random program for a few CPUs or tasks, made from a seed.</summary>
public sealed class RandomTaskProgram
{
    private static readonly TaskAct[] Pins =
    [
        TaskAct.Lookup, TaskAct.Lookup, TaskAct.Drop, TaskAct.TryGet, TaskAct.Put, TaskAct.TryPin, TaskAct.Unpin, TaskAct.CountReferences,
        TaskAct.CountPins, TaskAct.Map, TaskAct.Unmap,
        TaskAct.WriteProtect, TaskAct.Invlpg, TaskAct.Touch, TaskAct.UserStore, TaskAct.Copy, TaskAct.Compare, TaskAct.FreeFrame, TaskAct.Begin,
    ];

    private static readonly TaskAct[] Sections =
    [
        TaskAct.SrcuLock, TaskAct.SrcuLock, TaskAct.SrcuUnlock, TaskAct.Synchronize, TaskAct.Load, TaskAct.Load, TaskAct.Store, TaskAct.Add,
        TaskAct.MutexLock,
    ];

    private static readonly TaskAct[] Moves =
    [
        TaskAct.Sleep, TaskAct.Sleep, TaskAct.Load, TaskAct.Store, TaskAct.Add, TaskAct.UsePerCpu, TaskAct.PreemptOff, TaskAct.MutexLock,
        TaskAct.SpinLock, TaskAct.SrcuLock, TaskAct.SrcuUnlock, TaskAct.Synchronize, TaskAct.MightSleep,
    ];

    private readonly TaskFamily _family;
    private readonly bool _sleepsInAtomic;
    private readonly ImmutableArray<ImmutableArray<TaskInstruction>> _code;

    public RandomTaskProgram(TaskFamily family, int seed)
    {
        _family = family;
        Seed = seed;
        _sleepsInAtomic = seed % 2 == 0;
        var random = new Random(seed);
        int programs = random.Next(2, 4);
        _code = [.. Enumerable.Range(0, programs).Select(_ => Make(random, family, programs))];
    }

    public int Seed { get; }

    public override string ToString() => $"{_family} seed {Seed}:\n"
        + string.Join('\n', _code.Select((code, i) => $"  program{i}: {string.Join("; ", code.Select(at => $"{at.Act} {at.Operand}"))}"));

    /// <summary>Builds the model. Property 0 is none; of pins 1 is P-pin, 2 P-life, 3 P-ret; of the others each is P-atomic and assertions.</summary>
    public CheckModel Build(int property = 0, MemoryModelKind model = MemoryModelKind.Sc)
    {
        bool pins = _family == TaskFamily.Pins;
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = _family == TaskFamily.Movable ? 2 : _code.Length,
            EntriesPerTable = 2,
            Tables = 1,
            Frames = pins ? 3 : 0,
            Model = model,
            StoreBufferDepth = 2,
            SleepsInAtomic = _sleepsInAtomic,
        });
        var world = new World(machine, _code, pins);
        for (int i = 0; i < _code.Length; i++)
        {
            int index = i;
            if (_family == TaskFamily.Movable)
            {
                machine.AddMovableTask($"task{i}", Seed % 5 == i ? 1UL : 3UL, task => RunTask(world, index, task));
            }
            else
            {
                Cpu cpu = machine.Cpus[i];
                machine.AddTask(cpu, $"program{i}", () => RunOn(world, index, cpu));
            }
        }

        IReadOnlyList<Property> properties = (pins, property) switch
        {
            (_, 0) => [],
            (true, 1) => [new PPin()],
            (true, 2) => [new PLife()],
            (true, _) => [new PRet()],
            _ => [new PAtomic(), new Assertions()],
        };
        return new CheckModel(machine, properties, []);
    }

    private static ImmutableArray<TaskInstruction> Make(Random random, TaskFamily family, int programs)
    {
        TaskAct[] menu = family switch { TaskFamily.Pins => Pins, TaskFamily.Srcu => Sections, _ => Moves };
        int length = random.Next(2, programs == 2 ? 6 : 4);
        var code = ImmutableArray.CreateBuilder<TaskInstruction>();
        for (int i = 0; i < length; i++)
        {
            var one = new TaskInstruction(menu[random.Next(menu.Length)], random.Next(4));
            var inner = new TaskInstruction(menu[random.Next(menu.Length)], random.Next(4));
            code.Add(one);
            if (CloseOf(one.Act) is not { } close)
            {
                continue;
            }

            // Brackets do not nest, so that locks are taken in no order that deadlocks by itself.
            if (CloseOf(inner.Act) is null)
            {
                code.Add(inner);
            }

            code.Add(new TaskInstruction(close, one.Operand));
        }

        return code.ToImmutable();
    }

    private static TaskAct? CloseOf(TaskAct open) => open switch
    {
        TaskAct.Begin => TaskAct.Return,
        TaskAct.MutexLock => TaskAct.MutexUnlock,
        TaskAct.SpinLock => TaskAct.SpinUnlock,
        TaskAct.PreemptOff => TaskAct.PreemptOn,
        _ => null,
    };

    private static async Proc RunTask(World world, int index, MovableTask task)
    {
        int place = await task.TakeCpu();
        Cpu cpu = world.Machine.Cpus[place];
        var held = default(Holdings);
        long seen = 0;
        for (int pc = 0; pc < world.Code[index].Length; pc++)
        {
            TaskInstruction at = world.Code[index][pc];
            if (at.Act == TaskAct.Sleep)
            {
                await task.Sleep(cpu);
                place = await task.TakeCpu();
                cpu = world.Machine.Cpus[place];
                seen = (seen * 31) + cpu.Index;
                continue;
            }

            long result = await Step(world, cpu, index, pc, held);
            held = held.After(at, pc, result);
            seen = (seen * 31) + result;
        }

        await cpu.Store(world.Results[index], unchecked((ulong)seen));
        await task.Exit(cpu);
    }

    /// <summary>Runs a program; everything that it sees goes into its result, so that final states tell runs apart.</summary>
    private static async Proc RunOn(World world, int index, Cpu cpu)
    {
        var held = default(Holdings);
        long seen = 0;
        for (int pc = 0; pc < world.Code[index].Length; pc++)
        {
            long result = await Step(world, cpu, index, pc, held);
            held = held.After(world.Code[index][pc], pc, result);
            seen = (seen * 31) + result;
        }

        await cpu.Store(world.Results[index], unchecked((ulong)seen));
    }

    private static async Proc<long> Step(World world, Cpu cpu, int index, int pc, Holdings held)
    {
        TaskInstruction at = world.Code[index][pc];
        int which = at.Operand % 2;
        int frame = at.Operand % 3;
        switch (at.Act)
        {
            case TaskAct.Load:
                return (long)await cpu.Load(world.Words[which]);
            case TaskAct.Store:
                await cpu.Store(world.Words[which], (ulong)at.Operand);
                return 0;
            case TaskAct.Add:
                return (long)await cpu.AddReturn(world.Words[which], 1);
            case TaskAct.MutexLock:
                await cpu.MutexLock(world.Mutexes[which]);
                return 0;
            case TaskAct.MutexUnlock:
                await cpu.MutexUnlock(world.Mutexes[which]);
                return 0;
            case TaskAct.SpinLock:
                await cpu.SpinLock(world.Locks[which]);
                return 0;
            case TaskAct.SpinUnlock:
                await cpu.SpinUnlock(world.Locks[which]);
                return 0;
            case TaskAct.PreemptOff:
                await cpu.PreemptDisable();
                return 0;
            case TaskAct.PreemptOn:
                await cpu.PreemptEnable();
                return 0;
            case TaskAct.MightSleep:
                await cpu.MightSleep("f()");
                return 0;
            case TaskAct.UsePerCpu:
                await cpu.UsePerCpu(world.PerCpu[which]);
                return 0;
            case TaskAct.SrcuLock:
                return held.Section >= 0 ? 0 : await cpu.SrcuReadLock(world.Domains[which]) + 1;
            case TaskAct.SrcuUnlock:
                return held.Section < 0 ? 0 : await Leave(cpu, world.Domains[held.Domain], held.Section);
            case TaskAct.Synchronize:
                await cpu.SynchronizeSrcu(world.Domains[which]);
                return 0;
            default:
                return await PageStep(world, cpu, index, pc, held, frame, which);
        }
    }

    private static async Proc<long> Leave(Cpu cpu, Srcu domain, int section)
    {
        await cpu.SrcuReadUnlock(domain, section);
        return 1;
    }

    private static async Proc<long> PageStep(World world, Cpu cpu, int index, int pc, Holdings held, int frame, int page)
    {
        TaskInstruction at = world.Code[index][pc];
        switch (at.Act)
        {
            case TaskAct.TryGet:
                return await cpu.FrameTryGet(frame);
            case TaskAct.Put:
                if (held.References(frame) > 0)
                {
                    await cpu.PutFrames(1UL << frame, "put");
                }

                return held.References(frame) > 0 ? 1 : 0;
            case TaskAct.TryPin:
                return await cpu.FrameTryPin(frame);
            case TaskAct.Unpin:
                if (held.Pins(frame) > 0)
                {
                    await cpu.Unpin(frame, null, true, "unpin");
                }

                return held.Pins(frame) > 0 ? 1 : 0;
            case TaskAct.CountReferences:
                return (long)await cpu.Load(world.Machine.Paging.Frames[frame].RefCount);
            case TaskAct.CountPins:
                return (long)await cpu.Load(world.Machine.Paging.Frames[frame].PinCount);
            case TaskAct.Lookup:
                return await Lookup(world, cpu, world.Requests[index][pc]!);
            case TaskAct.Drop:
                if (held.LookupFrame >= 0)
                {
                    await cpu.Unpin(held.LookupFrame, world.Requests[index][held.LookupPc], true, "unpin_user_page");
                }

                return held.LookupFrame >= 0 ? 1 : 0;
            case TaskAct.Copy:
                await cpu.CopyFrame(frame, (frame + 1) % 3, "copy");
                return 0;
            case TaskAct.Compare:
                return await cpu.CompareFrames(frame, (frame + 1) % 3, "same");
            case TaskAct.FreeFrame:
                await cpu.ReclaimFrames(1UL << frame, "free");
                return 0;
            case TaskAct.Map:
                await cpu.EntryExchange(world.Table, page, Pte.Leaf(frame, at.Operand > 1), "set");
                return 0;
            case TaskAct.Unmap:
                return (await cpu.EntryExchange(world.Table, page, Pte.None, "clear")).Present ? 1 : 0;
            case TaskAct.WriteProtect:
                await cpu.EntryClearBits(world.Table, page, Pte.WriteBit, "wrprotect");
                return 0;
            case TaskAct.Invlpg:
                await cpu.Invlpg(page);
                return 0;
            case TaskAct.Touch:
                return (await cpu.AccessTouch(page)).Faulted ? 1 : 0;
            case TaskAct.UserStore:
                return (await cpu.AccessStore(page, at.Operand + 1)).Raw;
            case TaskAct.Begin:
                await cpu.BeginPromise(world.Promises[index]);
                return 0;
            default:
                await cpu.ReturnPromise(world.Promises[index]);
                return 0;
        }
    }

    /// <summary>The protocol of GUP-fast; half of the requests do not look at the entry again.</summary>
    private static async Proc<long> Lookup(World world, Cpu cpu, PinRequest request)
    {
        await cpu.BeginPin(request);
        Pte entry = await cpu.EntryReadLockless(world.Space, world.Table, request.Page, "ptep_get_lockless");
        int frame = entry.Present && (!request.Write || entry.Write) && await cpu.FrameTryPin(entry.Frame) != 0 ? entry.Frame : -1;
        if (frame >= 0 && !request.Force
            && await cpu.EntryReadLockless(world.Space, world.Table, request.Page, "ptep_get_lockless") != entry)
        {
            await cpu.Unpin(frame, null, true, "gup_put_folio");
            frame = -1;
        }

        await cpu.ReturnPin(request, frame);
        return frame + 1;
    }

    /// <summary>What a program holds, so that it gives back nothing else. A value: state of a program must not be shared.</summary>
    private readonly record struct Holdings(ulong Counts, int SectionPlusOne, int Domain, int LookupPlusOne, int LookupPc)
    {
        internal int Section => SectionPlusOne - 1;

        internal int LookupFrame => LookupPlusOne - 1;

        internal int References(int frame) => (int)(Counts >> (8 * frame)) & 15;

        internal int Pins(int frame) => (int)(Counts >> ((8 * frame) + 4)) & 15;

        internal Holdings After(TaskInstruction at, int pc, long result)
        {
            ulong one = result == 0 ? 0 : 1UL << (8 * (at.Operand % 3));
            return at.Act switch
            {
                TaskAct.TryGet => this with { Counts = Counts + one },
                TaskAct.Put => this with { Counts = Counts - one },
                TaskAct.TryPin => this with { Counts = Counts + (one << 4) },
                TaskAct.Unpin => this with { Counts = Counts - (one << 4) },
                TaskAct.Lookup when result != 0 => this with { LookupPlusOne = (int)result, LookupPc = pc },
                TaskAct.Drop => this with { LookupPlusOne = 0 },
                TaskAct.SrcuLock when result != 0 => this with { SectionPlusOne = (int)result, Domain = at.Operand % 2 },
                TaskAct.SrcuUnlock => this with { SectionPlusOne = 0 },
                _ => this,
            };
        }
    }

    /// <summary>The words, tables and handles of a program's machine.</summary>
    private sealed class World : MachineHandle
    {
        internal World(MachineModel machine, ImmutableArray<ImmutableArray<TaskInstruction>> code, bool pages)
            : base(machine)
        {
            Code = code;
            Words = [machine.NewWord("x"), machine.NewWord("y")];
            Results = [.. code.Select((_, i) => machine.NewWord($"result{i}"))];
            Locks = [machine.NewSpinLock("a"), machine.NewSpinLock("b")];
            Mutexes = [machine.NewMutex("m"), machine.NewMutex("n")];
            Domains = [machine.NewSrcu("srcu0"), machine.NewSrcu("srcu1")];
            PerCpu = [new PerCpuObject(machine.Cpus[0], "counter"), new PerCpuObject(machine.Cpus[^1], "counter")];
            Space = machine.Paging.NewAddressSpace("mm");
            Table = machine.Paging.BuildPath(Space, 0);
            Requests = [.. code.Select(program => ImmutableArray.CreateRange<PinRequest?>(new PinRequest?[program.Length]))];
            if (!pages)
            {
                return;
            }

            for (int frame = 0; frame < 3; frame++)
            {
                machine.Paging.BuildFrame(frame);
                machine.SetInitial(machine.Paging.Frames[frame].RefCount.Address, 1);
            }

            machine.Paging.BuildMapping(Space, 0, Pte.Leaf(0, true));
            machine.Paging.BuildMapping(Space, 1, Pte.Leaf(1, false));
            foreach (Cpu cpu in machine.Cpus)
            {
                machine.Paging.BuildLoadedRoot(cpu, Space, 0);
            }

            Promises = [.. machine.Cpus.Select(cpu => new Promise(machine, cpu, Space, 0, 2, PromiseKind.Removed, "call()"))];
            Requests = [.. code.Select((program, i) => ImmutableArray.CreateRange(program.Select(at => at.Act == TaskAct.Lookup
                ? new PinRequest(machine, machine.Cpus[i], Space, at.Operand % 2, at.Operand == 0, at.Operand == 1, at.Operand != 3, "pin()")
                : null)))];
        }

        internal ImmutableArray<ImmutableArray<TaskInstruction>> Code { get; }

        internal ImmutableArray<Word> Words { get; }

        internal ImmutableArray<Word> Results { get; }

        internal ImmutableArray<Spinlock> Locks { get; }

        internal ImmutableArray<KernelMutex> Mutexes { get; }

        internal ImmutableArray<Srcu> Domains { get; }

        internal ImmutableArray<PerCpuObject> PerCpu { get; }

        internal ImmutableArray<ImmutableArray<PinRequest?>> Requests { get; }

        internal ImmutableArray<Promise> Promises { get; } = [];

        internal AddressSpace Space { get; }

        internal PageTable Table { get; }
    }
}
