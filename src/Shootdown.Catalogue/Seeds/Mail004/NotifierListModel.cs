using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// The list of notifiers of an address space with one subscription (mm/mmu_notifier.c): a caller of invalidate_range_start, a driver that
/// unregisters and frees its object, and the exit of the process, at the same time. Correct is 6.1; the rest is what may be left out.
/// </summary>
internal sealed class NotifierListModel : MachineHandle
{
    private readonly Choice _choice;
    private readonly Srcu _srcu;
    private readonly Spinlock _lock;
    private readonly Word _linked;
    private readonly Word _freed;
    private readonly Word _reaches;

    private NotifierListModel(MachineModel machine, Choice choice)
        : base(machine)
    {
        _choice = choice;
        _srcu = machine.NewSrcu("srcu");
        _lock = machine.NewSpinLock("subscriptions->lock");
        _linked = machine.NewWord("subscription.hlist", 1);
        _freed = machine.NewWord("subscription.freed");
        _reaches = machine.NewWord("device.reaches_mm", 1);
    }

    /// <summary>A run.</summary>
    internal static SeedRun Run(string name, Choice choice) => SeedRun.OfModel(name, $"notifier list {choice}", () => Build(choice));

    private static CheckModel Build(Choice choice)
    {
        var machine = new MachineModel(new MachineOptions { Cpus = 3, Frames = 0, GracePeriods = !choice.Srcu });
        var list = new NotifierListModel(machine, choice);
        machine.AddTask(machine.Cpus[0], "munmap", () => list.MmuNotifierInvalidateRangeStart(machine.Cpus[0]));
        machine.AddTask(machine.Cpus[1], "driver", () => list.UnregisterAndFree(machine.Cpus[1]));
        machine.AddTask(machine.Cpus[2], "exit", () => list.ExitMmap(machine.Cpus[2]));
        return new CheckModel(machine, [new PAtomic(), new Assertions()]);
    }

    private async Proc MmuNotifierInvalidateRangeStart(Cpu cpu)
    {
        int section = await ReadLock(cpu);
        if (await cpu.Load(_linked, weight: StepWeight.Key) != 0)
        {
            await InvalidateRangeStart(cpu);
        }

        await ReadUnlock(cpu, section);
    }

    /// <summary>The callback: uses the driver's object, sleeps, uses it again.</summary>
    private async Proc InvalidateRangeStart(Cpu cpu)
    {
        await cpu.Assert(await cpu.Load(_freed) == 0, "a callback runs only while the subscription exists");
        await cpu.MightSleep("invalidate_range_start()");
        await cpu.Assert(await cpu.Load(_freed, weight: StepWeight.Key) == 0, "a callback runs only while the subscription exists");
    }

    /// <summary><c>mmu_notifier_unregister</c>, then the driver frees its object.</summary>
    [KernelName("mmu_notifier_unregister")]
    private async Proc UnregisterAndFree(Cpu cpu)
    {
        if (_choice.RemovesFirst)
        {
            await RemoveThenRelease(cpu);
        }
        else if (await cpu.Load(_linked) != 0)
        {
            int section = await ReadLock(cpu);
            await Release(cpu);
            await ReadUnlock(cpu, section);
            await HlistDel(cpu);
        }

        if (_choice.UnregisterWaits)
        {
            await Synchronize(cpu);
        }

        await cpu.Store(_freed, 1, weight: StepWeight.Key);
    }

    /// <summary>The order of 2012 (751efd8610d3): off the list first, so that release runs once.</summary>
    [KernelName]
    private async Proc RemoveThenRelease(Cpu cpu)
    {
        await cpu.SpinLock(_lock);
        if (await cpu.Load(_linked) == 0)
        {
            await cpu.SpinUnlock(_lock);
            return;
        }

        int section = await ReadLock(cpu);
        await cpu.Store(_linked, 0, weight: StepWeight.Key);
        await cpu.SpinUnlock(_lock);
        await Release(cpu);
        await ReadUnlock(cpu, section);
    }

    /// <summary><c>exit_mmap</c>: <c>mmu_notifier_release</c>, then pages are freed: no device may reach them.</summary>
    private async Proc ExitMmap(Cpu cpu)
    {
        await MmuNotifierRelease(cpu);
        await cpu.Assert(await cpu.Load(_reaches, weight: StepWeight.Key) == 0, "release has run before pages are freed");
    }

    private async Proc MmuNotifierRelease(Cpu cpu)
    {
        int section = await ReadLock(cpu);
        if (await cpu.Load(_linked, weight: StepWeight.Key) != 0)
        {
            await cpu.Assert(await cpu.Load(_freed) == 0, "release runs only while the subscription exists");
            await Release(cpu);
            await HlistDel(cpu);
        }

        await ReadUnlock(cpu, section);
        if (_choice.ExitWaits)
        {
            await Synchronize(cpu);
        }
    }

    /// <summary>The driver's release: the device reaches the address space no more.</summary>
    private async Proc Release(Cpu cpu)
    {
        await cpu.MightSleep("release()");
        await cpu.Store(_reaches, 0, weight: StepWeight.Key);
    }

    private async Proc HlistDel(Cpu cpu)
    {
        await cpu.SpinLock(_lock);
        await cpu.Store(_linked, 0, weight: StepWeight.Key);
        await cpu.SpinUnlock(_lock);
    }

    private async Proc<int> ReadLock(Cpu cpu)
    {
        if (_choice.Srcu)
        {
            return await cpu.SrcuReadLock(_srcu);
        }

        await cpu.RcuReadLock();
        return 0;
    }

    private async Proc ReadUnlock(Cpu cpu, int section)
    {
        if (_choice.Srcu)
        {
            await cpu.SrcuReadUnlock(_srcu, section);
        }
        else
        {
            await cpu.RcuReadUnlock();
        }
    }

    private async Proc Synchronize(Cpu cpu)
    {
        if (_choice.Srcu)
        {
            await cpu.SynchronizeSrcu(_srcu);
        }
        else
        {
            await cpu.SynchronizeRcu();
        }
    }

    /// <summary>What 6.1 does; each may be left out.</summary>
    internal sealed record Choice
    {
        public bool Srcu { get; init; } = true;

        public bool UnregisterWaits { get; init; } = true;

        public bool ExitWaits { get; init; } = true;

        public bool RemovesFirst { get; init; }
    }
}
