using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Registration of notifiers, and the two ways in which their life ends (mm/mmu_notifier.c): the driver unregisters, or the address space
/// exits. Callbacks
/// may sleep, so the list is walked in a section of sleepable RCU (since 2012).
/// </summary>
public class MmuNotifierList(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_notifier_register</c>: with all locks under which entries change (mmap_lock for writing, every i_mmap_rwsem
    /// and anon_vma lock),
    /// so that nobody is between the start and the end of an invalidation.
    /// </summary>
    public virtual async Proc MmuNotifierRegister(Cpu cpu, MmuNotifierSubscription subscription)
    {
        Mm mm = subscription.Mm;
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        await MmTakeAllLocks(cpu, mm);
        await cpu.SpinLock(mm.NotifierList!.Lock);
        await cpu.FetchOr(mm.NotifierList!.List, subscription.Bit, StepWeight.Key, $"hlist_add_head_rcu({subscription})");
        await cpu.SpinUnlock(mm.NotifierList!.Lock);
        await MmDropAllLocks(cpu, mm);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_notifier_unregister</c>: once it returned no callback runs or will. The exit of the address space may have taken
    /// the subscription off the list already, and may be in its release now: the grace period waits for that too.
    /// </summary>
    public virtual async Proc MmuNotifierUnregister(Cpu cpu, MmuNotifierSubscription subscription)
    {
        NotifierListWords list = subscription.Mm.NotifierList!;
        if ((await cpu.Load(list.List, weight: StepWeight.Context) & subscription.Bit) != 0)
        {
            int section = await cpu.SrcuReadLock(list.Srcu);
            await subscription.Release(cpu);
            await cpu.SrcuReadUnlock(list.Srcu, section);
            await HlistDelInitRcu(cpu, list, subscription);
        }

        await WaitForCallbacks(cpu, list, exits: false);
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mn_hlist_release</c>, for <c>exit_mmap</c>: releases all, then takes them off the list. The grace period waits
    /// for an unregister
    /// whose release runs: pages are freed next.
    /// </summary>
    public virtual async Proc MnHlistRelease(Cpu cpu, Mm mm)
    {
        NotifierListWords list = mm.NotifierList!;
        int section = await cpu.SrcuReadLock(list.Srcu);
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            if ((await cpu.Load(list.List) & (1UL << i)) != 0)
            {
                await mm.Subscriptions[i].Release(cpu);
            }
        }

        await cpu.SpinLock(list.Lock);
        await cpu.Exchange(list.List, 0, StepWeight.Key, "hlist_del_init_rcu()");
        await cpu.SpinUnlock(list.Lock);
        await cpu.SrcuReadUnlock(list.Srcu, section);
        await WaitForCallbacks(cpu, list, exits: true);
    }

    /// <summary>mm/mmu_notifier.c: <c>hlist_del_init_rcu</c> under the list's lock: nothing if it is off the list already.</summary>
    [KernelName]
    protected async Proc HlistDelInitRcu(Cpu cpu, NotifierListWords list, MmuNotifierSubscription subscription)
    {
        await cpu.SpinLock(list.Lock);
        await cpu.FetchAnd(list.List, ~subscription.Bit, StepWeight.Key);
        await cpu.SpinUnlock(list.Lock);
    }

    /// <summary>The <c>synchronize_srcu</c> at the end of both.</summary>
    [KernelName("synchronize_srcu")]
    protected virtual async Proc WaitForCallbacks(Cpu cpu, NotifierListWords list, bool exits) => await cpu.SynchronizeSrcu(list.Srcu);

    /// <summary>mm/mmap.c: <c>mm_take_all_locks</c>.</summary>
    protected virtual async Proc MmTakeAllLocks(Cpu cpu, Mm mm)
    {
        for (int i = 0; i < Kernel.Files.Count; i++)
        {
            await Kernel.Files[i].MmapRwsem.LockWrite(cpu);
        }

        await mm.AnonVma.LockWrite(cpu);
    }

    /// <summary>mm/mmap.c: <c>mm_drop_all_locks</c>.</summary>
    protected virtual async Proc MmDropAllLocks(Cpu cpu, Mm mm)
    {
        await mm.AnonVma.UnlockWrite(cpu);
        for (int i = 0; i < Kernel.Files.Count; i++)
        {
            await Kernel.Files[i].MmapRwsem.UnlockWrite(cpu);
        }
    }
}

/// <summary>The list of an address space whose programs register notifiers (<c>struct mmu_notifier_subscriptions</c>).</summary>
public sealed class NotifierListWords : MachineHandle
{
    internal NotifierListWords(MachineModel machine, string name, Srcu srcu)
        : base(machine)
    {
        Srcu = srcu;
        List = machine.NewWord($"{name}.notifier_subscriptions");
        Lock = machine.NewSpinLock($"{name}.notifiers.lock");
    }

    /// <summary>The one domain of sleepable RCU under which all lists are walked.</summary>
    public Srcu Srcu { get; }

    /// <summary><c>subscriptions->list</c>: the bits of the subscriptions on it.</summary>
    public Word List { get; }

    /// <summary><c>subscriptions->lock</c>: for changes of the list.</summary>
    public Spinlock Lock { get; }
}
