using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>Programs so small that every outcome can be written down.</summary>
public sealed class HandEnumeratedTests
{
    /// <summary>
    /// SB: P0: x = 1; r0 = y. P1: y = 1; r1 = x. Under sc the store that comes first in the one order is seen by the other
    /// CPU's load, so (r0, r1) is (0,1), (1,0) or (1,1). Under x86-tso both stores may wait in their buffers: (0,0) too.
    /// </summary>
    [Theory]
    [InlineData(MemoryModelKind.Sc, false, 3)]
    [InlineData(MemoryModelKind.X86Tso, false, 4)]
    [InlineData(MemoryModelKind.X86Tso, true, 3)]
    public void Store_buffering(MemoryModelKind model, bool fence, int outcomes)
        => Assert.Equal(outcomes, Outcomes(model, (machine, x, y, results) =>
        {
            Cpu first = machine.Cpus[0];
            Cpu second = machine.Cpus[1];
            machine.AddTask(first, "p0", () => StoreThenLoad(first, x, y, results[0], fence));
            machine.AddTask(second, "p1", () => StoreThenLoad(second, y, x, results[1], fence));
        }));

    /// <summary>
    /// MP: P0: x = 1; y = 1. P1: r0 = y; r1 = x. Neither model reorders two stores or two loads, so (1,0) is impossible: (0,0),
    /// (0,1), (1,1) remain.
    /// </summary>
    [Theory]
    [InlineData(MemoryModelKind.Sc)]
    [InlineData(MemoryModelKind.X86Tso)]
    public void Message_passing(MemoryModelKind model) => Assert.Equal(3, Outcomes(model, (machine, x, y, results) =>
    {
        Cpu first = machine.Cpus[0];
        Cpu second = machine.Cpus[1];
        machine.AddTask(first, "p0", () => StoreBoth(first, x, y));
        machine.AddTask(second, "p1", () => LoadBoth(second, y, x, results[0]));
    }));

    /// <summary>
    /// Two CPUs each load x and store the value plus one: they end with 2 if one runs after the other, with 1 if both load
    /// first. An atomic add ends with 2 only.
    /// </summary>
    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 1)]
    public void Lost_update(bool atomic, int outcomes) => Assert.Equal(outcomes, Outcomes(MemoryModelKind.Sc, (machine, x, _, _) =>
    {
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddTask(cpu, "adder", () => Increment(cpu, x, atomic));
        }
    }));

    /// <summary>
    /// Two CPUs take the lock and load x and store x + 1 inside: the lock is handed over, nothing is lost, one outcome. Without
    /// reduction there are 16 states: nobody started (1); one of the two is after its lock, its load or its store while the
    /// other waits (2 x 3); one is done and the other has not started (2); one is done and the other is after its lock, load
    /// or store (2 x 3); both are done (1).
    /// </summary>
    [Fact]
    public void Lock_hand_over()
    {
        CheckModel model = Locked();
        ExplorationResult slow = Explorer.Explore(model, Options(reduction: false));
        Assert.Null(slow.Violation);
        Assert.Single(slow.FinalStates);
        Assert.Equal(1 + (2 * 3) + 2 + (2 * 3) + 1, slow.States);
        ExplorationResult fast = Explorer.Explore(Locked(), Options());
        Assert.True(slow.FinalStates.SetEquals(fast.FinalStates));
    }

    /// <summary>Two locks taken in opposite order: the explorer finds the deadlock and names both waits.</summary>
    [Fact]
    public void Lock_cycle_is_a_deadlock()
    {
        var machine = new MachineModel(Small(2));
        Spinlock a = machine.NewSpinLock("a");
        Spinlock b = machine.NewSpinLock("b");
        Cpu first = machine.Cpus[0];
        Cpu second = machine.Cpus[1];
        machine.AddTask(first, "ab", () => TakeBoth(first, a, b));
        machine.AddTask(second, "ba", () => TakeBoth(second, b, a));
        ExplorationResult result = Explorer.Explore(new CheckModel(machine, []), Options());
        Assert.Equal("deadlock", result.Violation?.PropertyId);
        Assert.Contains("CPU0 (ab) waits in spin_lock(b)", result.Violation!.Sentence, StringComparison.Ordinal);
        Assert.Contains("CPU1 (ba) waits in spin_lock(a)", result.Violation.Sentence, StringComparison.Ordinal);
    }

    /// <summary>
    /// CPU1 turns interrupts off, stores x = 1 then x = 2, turns them on. CPU0 sends an IPI whose handler loads x. The handler
    /// can run before or after the section but never inside it: it sees 0 or 2, never 1.
    /// </summary>
    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 3)]
    public void Interrupts_off_keep_an_IPI_out(bool off, int outcomes) => Assert.Equal(outcomes, Outcomes(MemoryModelKind.Sc, (machine, x, _, results) =>
    {
        int function = machine.Interrupts.RegisterFunction("look", (self, _) => Copy(self, x, results[0]));
        Cpu sender = machine.Cpus[0];
        Cpu target = machine.Cpus[1];
        machine.AddTask(sender, "sender", () => Call(sender, target.Bit, function));
        machine.AddTask(target, "target", () => TwoStores(target, x, off));
    }));

    /// <summary>Waiting for an IPI with interrupts off while the target does the same to us is a deadlock.</summary>
    [Fact]
    public void Two_senders_with_interrupts_off_deadlock()
    {
        var machine = new MachineModel(Small(2));
        int function = machine.Interrupts.RegisterFunction("nothing", static (self, _) => Nothing(self));
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddTask(cpu, "sender", () => CallWithInterruptsOff(cpu, machine.Cpus[1 - cpu.Index].Bit, function));
        }

        Assert.Equal("deadlock", Explorer.Explore(new CheckModel(machine, []), Options()).Violation?.PropertyId);
    }

    /// <summary>
    /// The classic RCU contract: the updater hides x (y = 0), waits for a grace period and poisons x (x = 9). A reader that saw y = 1
    /// inside its section reads x before the poison: it can see 0 in y, or x = 1; never 9. Without the wait it can.
    /// </summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Grace_period(bool waits, bool violated)
    {
        var machine = new MachineModel(Small(2) with { GracePeriods = true });
        Word x = machine.NewWord("x", 1);
        Word y = machine.NewWord("y", 1);
        Cpu reader = machine.Cpus[0];
        Cpu updater = machine.Cpus[1];
        machine.AddTask(reader, "reader", () => ReadSection(reader, x, y));
        machine.AddTask(updater, "updater", () => Update(updater, x, y, waits));
        ExplorationResult result = Explorer.Explore(new CheckModel(machine, [new Assertions()]), Options());
        Assert.Equal(violated ? "assert" : null, result.Violation?.PropertyId);
        Assert.True(result.Judgements[0] > 0);
    }

    /// <summary>A reader and a downgraded writer share the semaphore; a writer excludes both.</summary>
    [Fact]
    public void Downgrade_lets_readers_in_but_no_writer()
    {
        var machine = new MachineModel(Small(2));
        RwSemaphore semaphore = machine.NewRwSemaphore("mmap_lock");
        Word inside = machine.NewWord("inside");
        Cpu first = machine.Cpus[0];
        Cpu second = machine.Cpus[1];
        machine.AddTask(first, "writer", () => WriteThenDowngrade(first, semaphore, inside));
        machine.AddTask(second, "writer", () => OtherWriter(second, semaphore, inside));
        ExplorationResult result = Explorer.Explore(new CheckModel(machine, [new Assertions()]), Options());
        Assert.Null(result.Violation);
        Assert.True(result.Judgements[0] > 0);
    }

    private static MachineOptions Small(int cpus) => new() { Cpus = cpus, Levels = 1, EntriesPerTable = 1, Tables = 1, Frames = 0, WalkCaches = false };

    private static CheckOptions Options(bool reduction = true) => new() { Workers = 1, Reduction = reduction, CollectFinalStates = true };

    private static int Outcomes(MemoryModelKind model, Action<MachineModel, Word, Word, Word[]> programs)
    {
        var counts = new List<int>();
        foreach (bool reduction in new[] { false, true })
        {
            var machine = new MachineModel(Small(2) with { Model = model });
            Word x = machine.NewWord("x");
            Word y = machine.NewWord("y");
            programs(machine, x, y, [machine.NewWord("r0"), machine.NewWord("r1")]);
            ExplorationResult result = Explorer.Explore(new CheckModel(machine, []), Options(reduction));
            Assert.Null(result.Violation);
            counts.Add(result.FinalStates.Count);
        }

        Assert.Equal(counts[0], counts[1]);
        return counts[0];
    }

    private static CheckModel Locked()
    {
        var machine = new MachineModel(Small(2));
        Spinlock gate = machine.NewSpinLock("gate");
        Word x = machine.NewWord("x");
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddTask(cpu, "adder", () => LockedIncrement(cpu, gate, x));
        }

        return new CheckModel(machine, []);
    }

    private static async Proc StoreThenLoad(Cpu cpu, Word mine, Word other, Word result, bool fence)
    {
        await cpu.Store(mine, 1);
        if (fence)
        {
            await cpu.FullBarrier();
        }

        await cpu.Store(result, await cpu.Load(other));
    }

    private static async Proc StoreBoth(Cpu cpu, Word x, Word y)
    {
        await cpu.Store(x, 1);
        await cpu.Store(y, 1);
    }

    private static async Proc LoadBoth(Cpu cpu, Word y, Word x, Word result)
    {
        ulong first = await cpu.Load(y);
        await cpu.Store(result, (first * 2) + await cpu.Load(x));
    }

    private static async Proc Increment(Cpu cpu, Word x, bool atomic)
    {
        if (atomic)
        {
            await cpu.AddReturn(x, 1);
        }
        else
        {
            await cpu.Store(x, await cpu.Load(x) + 1);
        }
    }

    private static async Proc LockedIncrement(Cpu cpu, Spinlock gate, Word x)
    {
        await cpu.SpinLock(gate);
        await cpu.Store(x, await cpu.Load(x) + 1);
        await cpu.SpinUnlock(gate);
    }

    private static async Proc TakeBoth(Cpu cpu, Spinlock first, Spinlock second)
    {
        await cpu.SpinLock(first);
        await cpu.SpinLock(second);
        await cpu.SpinUnlock(second);
        await cpu.SpinUnlock(first);
    }

    private static async Proc Copy(Cpu cpu, Word from, Word to) => await cpu.Store(to, await cpu.Load(from));

    private static async Proc Nothing(Cpu cpu) => await cpu.FullBarrier();

    private static async Proc Call(Cpu cpu, ulong mask, int function)
    {
        await cpu.SendIpi(mask, function);
        await cpu.AwaitIpiAcknowledgements();
    }

    private static async Proc CallWithInterruptsOff(Cpu cpu, ulong mask, int function)
    {
        await cpu.InterruptsOff();
        await Call(cpu, mask, function);
        await cpu.InterruptsOn();
    }

    private static async Proc TwoStores(Cpu cpu, Word x, bool off)
    {
        if (off)
        {
            await cpu.InterruptsOff();
        }

        await cpu.Store(x, 1);
        await cpu.Store(x, 2);
        if (off)
        {
            await cpu.InterruptsOn();
        }
    }

    private static async Proc ReadSection(Cpu cpu, Word x, Word y)
    {
        await cpu.RcuReadLock();
        if (await cpu.Load(y) == 1)
        {
            await cpu.Assert(await cpu.Load(x) != 9, "a reader never sees poison");
        }

        await cpu.RcuReadUnlock();
    }

    private static async Proc Update(Cpu cpu, Word x, Word y, bool waits)
    {
        await cpu.Store(y, 0);
        if (waits)
        {
            await cpu.SynchronizeRcu();
        }

        await cpu.Store(x, 9);
    }

    private static async Proc WriteThenDowngrade(Cpu cpu, RwSemaphore semaphore, Word inside)
    {
        await cpu.DownWrite(semaphore);
        await cpu.DowngradeWrite(semaphore);
        await cpu.Assert(await cpu.Load(inside) == 0, "no writer is inside with a downgraded one");
        await cpu.UpRead(semaphore);
    }

    private static async Proc OtherWriter(Cpu cpu, RwSemaphore semaphore, Word inside)
    {
        await cpu.DownWrite(semaphore);
        await cpu.Store(inside, 1);
        await cpu.Store(inside, 0);
        await cpu.UpWrite(semaphore);
    }
}
