using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>Sleeping in atomic context, SRCU, and tasks that move, on programs whose outcomes can be written down.</summary>
public sealed class AtomicContextTests
{
    public enum Around
    {
        Nothing,
        SrcuSection,
        Mutex,
        Spinlock,
        PreemptionOff,
        InterruptsOff,
        RcuSection,
    }

    /// <summary>might_sleep() inside each kind of section; an SRCU section and a mutex are no atomic context.</summary>
    [Theory]
    [InlineData(Around.Nothing, "")]
    [InlineData(Around.SrcuSection, "")]
    [InlineData(Around.Mutex, "")]
    [InlineData(Around.Spinlock, "CPU0 may sleep in f() while it holds the spinlock s.")]
    [InlineData(Around.PreemptionOff, "CPU0 may sleep in f() with preemption off.")]
    [InlineData(Around.InterruptsOff, "CPU0 may sleep in f() with interrupts off.")]
    [InlineData(Around.RcuSection, "CPU0 may sleep in f() inside an RCU read section.")]
    public void Sleeping_is_judged_by_what_is_open(Around around, string sentence)
    {
        ExplorationResult result = Explorer.Explore(Sleeper(around, false), Options());
        Assert.Equal(sentence, result.Violation?.Sentence ?? string.Empty);
        Assert.Equal(sentence.Length == 0 ? string.Empty : "P-atomic", result.Violation?.PropertyId ?? string.Empty);
        Assert.Equal(1, result.Judgements[0]);
    }

    /// <summary>A lock that was given back is not held, although its release is still in the CPU's store buffer.</summary>
    [Fact]
    public void A_released_spinlock_in_the_store_buffer_is_not_held()
    {
        MachineModel machine = Machine(1, MemoryModelKind.X86Tso);
        Spinlock spinLock = machine.NewSpinLock("s");
        machine.AddTask(machine.Cpus[0], "task", () => LockUnlockSleep(machine.Cpus[0], spinLock));
        Assert.Null(Explorer.Explore(new CheckModel(machine, [new PAtomic()]), Options()).Violation);
    }

    /// <summary>
    /// A reader loads x twice in one section; a writer stores x, waits for readers and stores y, which the reader loads last. If the
    /// first load came before the store of x, the section was open when the wait began, and y cannot be 1 before the section ends.
    /// </summary>
    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 4)]
    public void Synchronize_srcu_waits_for_sections_that_were_open(bool waits, int outcomes)
    {
        foreach (bool reduction in new[] { true, false })
        {
            MachineModel machine = Machine(2);
            Srcu srcu = machine.NewSrcu("srcu");
            Word x = machine.NewWord("x");
            Word y = machine.NewWord("y");
            Word seen = machine.NewWord("seen");
            machine.AddTask(machine.Cpus[0], "reader", () => ReadBoth(machine.Cpus[0], srcu, x, y, seen));
            machine.AddTask(machine.Cpus[1], "writer", () => StoreWaitStore(machine.Cpus[1], srcu, x, y, waits));
            ExplorationResult result = Explorer.Explore(new CheckModel(machine, [new Assertions()]), Options() with { Reduction = reduction });
            Assert.Null(result.Violation);
            Assert.Equal(outcomes, result.FinalStates.Count);
        }
    }

    /// <summary>Waiting for one's own section never ends.</summary>
    [Fact]
    public void Synchronize_srcu_inside_its_own_section_is_a_deadlock()
    {
        MachineModel machine = Machine(1);
        Srcu srcu = machine.NewSrcu("srcu");
        machine.AddTask(machine.Cpus[0], "task", () => SynchronizeInside(machine.Cpus[0], srcu));
        Assert.Equal("deadlock", Explorer.Explore(new CheckModel(machine, [new Assertions()]), Options()).Violation?.PropertyId);
    }

    /// <summary>
    /// Two tasks increment their CPU's counter around a sleep. Bound to one CPU each keeps its own; free to move, a task that holds on to
    /// the first CPU's counter uses it on the other, which P-atomic reports. With reduction and without.
    /// </summary>
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void A_per_cpu_object_is_not_used_across_a_migration(bool mayMove, bool reduction)
    {
        MachineModel machine = Machine(2);
        PerCpuObject[] objects = [.. machine.Cpus.Select(cpu => new PerCpuObject(cpu, "counter"))];
        for (int i = 0; i < 2; i++)
        {
            PerCpuObject first = objects[0];
            PerCpuObject second = objects[1];
            machine.AddMovableTask($"task{i}", mayMove ? 3UL : 1UL << i, task => UseSleepUse(task, first, second));
        }

        Violation? violation = Explorer.Explore(
            new CheckModel(machine, [new PAtomic()]), Options() with { Reduction = reduction }).Violation;
        Assert.Equal(mayMove ? "P-atomic" : string.Empty, violation?.PropertyId ?? string.Empty);
    }

    /// <summary>
    /// Two tasks, one CPU, each sleeps once. A task runs only while the other one sleeps or has not begun, so that a word which is
    /// raised while a task runs never reads 1 when it is raised.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void One_task_runs_on_a_cpu_at_a_time(bool reduction)
    {
        MachineModel machine = Machine(1);
        Word running = machine.NewWord("running");
        for (int i = 0; i < 2; i++)
        {
            machine.AddMovableTask($"task{i}", 1, task => RunAlone(task, running));
        }

        ExplorationResult result = Explorer.Explore(
            new CheckModel(machine, [new Assertions()], ["assert"]), Options() with { Reduction = reduction });
        Assert.Null(result.Violation);
        Assert.Single(result.FinalStates);
    }

    private static CheckModel Sleeper(Around around, bool letThrough)
    {
        MachineModel machine = Machine(1, MemoryModelKind.Sc, letThrough);
        Spinlock spinLock = machine.NewSpinLock("s");
        KernelMutex mutex = machine.NewMutex("m");
        Srcu srcu = machine.NewSrcu("srcu");
        machine.AddTask(machine.Cpus[0], "task", () => Sleep(machine.Cpus[0], around, spinLock, mutex, srcu));
        return new CheckModel(machine, [new PAtomic()]);
    }

    private static async Proc Sleep(Cpu cpu, Around around, Spinlock spinLock, KernelMutex mutex, Srcu srcu)
    {
        switch (around)
        {
            case Around.SrcuSection:
                await cpu.SrcuReadLock(srcu);
                break;
            case Around.Mutex:
                await cpu.MutexTryLock(mutex);
                break;
            case Around.Spinlock:
                await cpu.SpinLock(spinLock);
                break;
            case Around.PreemptionOff:
                await cpu.PreemptDisable();
                break;
            case Around.InterruptsOff:
                await cpu.InterruptsOff();
                break;
            case Around.RcuSection:
                await cpu.RcuReadLock();
                break;
            default:
                break;
        }

        await cpu.MightSleep("f()");
    }

    private static async Proc LockUnlockSleep(Cpu cpu, Spinlock spinLock)
    {
        await cpu.SpinLock(spinLock);
        await cpu.SpinUnlock(spinLock);
        await cpu.MightSleep("f()");
    }

    private static async Proc ReadBoth(Cpu cpu, Srcu srcu, Word x, Word y, Word seen)
    {
        int section = await cpu.SrcuReadLock(srcu);
        ulong first = await cpu.Load(x);
        ulong last = await cpu.Load(y);
        await cpu.SrcuReadUnlock(srcu, section);
        await cpu.Store(seen, (2 * first) + last + 1);
    }

    private static async Proc StoreWaitStore(Cpu cpu, Srcu srcu, Word x, Word y, bool waits)
    {
        await cpu.Store(x, 1);
        if (waits)
        {
            await cpu.SynchronizeSrcu(srcu);
        }

        await cpu.Store(y, 1);
    }

    private static async Proc SynchronizeInside(Cpu cpu, Srcu srcu)
    {
        await cpu.SrcuReadLock(srcu);
        await cpu.SynchronizeSrcu(srcu);
    }

    private static async Proc UseSleepUse(MovableTask task, PerCpuObject first, PerCpuObject second)
    {
        int index = await task.TakeCpu();
        PerCpuObject mine = index == 0 ? first : second;
        Cpu cpu = task.Machine.Cpus[index];
        await cpu.PreemptDisable();
        await cpu.UsePerCpu(mine);
        await cpu.PreemptEnable();
        await task.Sleep(cpu);
        index = await task.TakeCpu();
        cpu = task.Machine.Cpus[index];
        await cpu.PreemptDisable();
        await cpu.UsePerCpu(mine);
        await cpu.PreemptEnable();
        await task.Exit(cpu);
    }

    private static async Proc RunAlone(MovableTask task, Word running)
    {
        int index = await task.TakeCpu();
        Cpu cpu = task.Machine.Cpus[index];
        await cpu.Assert(await cpu.AddReturn(running, 1) == 1, "nobody else runs");
        await cpu.AddReturn(running, -1);
        await task.Sleep(cpu);
        index = await task.TakeCpu();
        cpu = task.Machine.Cpus[index];
        await cpu.Assert(await cpu.AddReturn(running, 1) == 1, "nobody else runs");
        await cpu.AddReturn(running, -1);
        await task.Exit(cpu);
    }

    private static MachineModel Machine(int cpus, MemoryModelKind model = MemoryModelKind.Sc, bool letThrough = false)
        => new(new MachineOptions { Cpus = cpus, Frames = 0, Model = model, SleepsInAtomic = letThrough });

    private static CheckOptions Options() => new() { Workers = 1, CollectFinalStates = true };
}
