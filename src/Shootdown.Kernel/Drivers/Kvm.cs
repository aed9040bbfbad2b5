using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// KVM (virt/kvm/kvm_main.c, arch/x86/kvm/mmu/mmu.c; 6.12): guest memory is memory of the process, and a page of it that the guest
/// touches is entered into a second page table. No reference is kept: the notifier is all that protects an spte.
/// </summary>
/// <remarks>
/// Simplified: one memslot covers the address space, page for page. mmu_lock is a spinlock (on x86 faults take it for reading, so vCPUs may
/// fault side by side). A vCPU whose fault must be tried again goes on faulting until no invalidation is in progress; here
/// it waits for that.
/// </remarks>
public class Kvm : NotifierDriver
{
    /// <summary>Makes a virtual machine.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The process whose memory the guest has.</param>
    /// <param name="vcpus">Number of vCPUs.</param>
    /// <param name="registration">Whether it is registered all the time.</param>
    /// <param name="closes">True if a program calls <see cref="NotifierDriver.Close"/>.</param>
    public Kvm(
        KernelModel kernel, Mm mm, int vcpus = 1, NotifierRegistration registration = NotifierRegistration.Always, bool closes = false)
        : base(kernel, mm, "kvm", vcpus, registration, closes)
    {
        MmuLock = Machine.NewSpinLock("mmu_lock");
        InvalidateInProgress = Machine.NewWord("kvm.mmu_invalidate_in_progress");
        InvalidateSeq = Machine.NewWord("kvm.mmu_invalidate_seq");
        InvalidateRange = Machine.NewWord("kvm.mmu_invalidate_range");
    }

    /// <summary><c>kvm->mmu_lock</c>: protects sptes and the three words below.</summary>
    public Spinlock MmuLock { get; }

    /// <summary><c>kvm->mmu_invalidate_in_progress</c>: starts without their ends.</summary>
    public Word InvalidateInProgress { get; }

    /// <summary><c>kvm->mmu_invalidate_seq</c>: ends so far.</summary>
    public Word InvalidateSeq { get; }

    /// <summary><c>kvm->mmu_invalidate_range_start</c> and <c>_end</c>: the smallest range that holds all that is in progress.</summary>
    public Word InvalidateRange { get; }

    /// <summary>virt/kvm/kvm_main.c: <c>kvm_mmu_notifier_invalidate_range_start</c>: sptes go, and none comes until the end.</summary>
    [KernelName("kvm_mmu_notifier_invalidate_range_start")]
    public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
    {
        await cpu.SpinLock(MmuLock);
        await KvmMmuInvalidateBegin(cpu, range.Pages);
        await KvmUnmapGfnRange(cpu, range.Pages);
        await cpu.SpinUnlock(MmuLock);
        return true;
    }

    /// <summary>virt/kvm/kvm_main.c: <c>kvm_mmu_notifier_invalidate_range_end</c>.</summary>
    [KernelName("kvm_mmu_notifier_invalidate_range_end")]
    public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
    {
        await cpu.SpinLock(MmuLock);
        await KvmMmuInvalidateEnd(cpu);
        await cpu.SpinUnlock(MmuLock);
    }

    /// <summary>virt/kvm/kvm_main.c: <c>kvm_mmu_notifier_release</c>, <c>kvm_flush_shadow_all</c>: the guest cannot run any more.</summary>
    [KernelName("kvm_mmu_notifier_release")]
    public override async Proc Release(Cpu cpu)
    {
        await cpu.SpinLock(MmuLock);
        await KvmUnmapGfnRange(cpu, PageRange.All);
        await cpu.SpinUnlock(MmuLock);
    }

    /// <summary>A vCPU loads from guest memory: in the guest until it faults, then in the fault handler, then in the guest again.</summary>
    [KernelName]
    public virtual async Proc<bool> GuestLoad(Cpu cpu, int page, int vcpu = 0)
    {
        while ((await Mmu.AccessTouch(cpu, page, vcpu)).Faulted)
        {
            if (!await HandleFault(cpu, page, false))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A vCPU stores to guest memory.</summary>
    [KernelName]
    public virtual async Proc<bool> GuestStore(Cpu cpu, int page, int value, int vcpu = 0)
    {
        while ((await Mmu.AccessStore(cpu, page, value, vcpu)).Faulted)
        {
            if (!await HandleFault(cpu, page, true))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// arch/x86/kvm/mmu/mmu.c: <c>kvm_tdp_page_fault</c>. The sequence is read before the page is looked up, which needs no mmu_lock; under
    /// mmu_lock it must still be the same, and no invalidation of the page in progress.
    /// </summary>
    [KernelName("kvm_tdp_page_fault")]
    public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
    {
        // Acquire: smp_rmb() between the sequence and the entry that the lookup reads.
        ulong seq = await cpu.Load(InvalidateSeq, MemoryOrder.Acquire, StepWeight.Key);
        Pte entry = await KvmFaultinPfn(cpu, page, write);
        if (!entry.Present)
        {
            return false;
        }

        await cpu.SpinLock(MmuLock);
        FaultRetry retry = await MmuInvalidateRetryGfn(cpu, seq, page);
        if (retry == FaultRetry.No)
        {
            await KvmTdpMmuMap(cpu, page, entry, write);
        }

        await cpu.SpinUnlock(MmuLock);
        if (retry == FaultRetry.InProgress)
        {
            await cpu.WaitUntil(InvalidateInProgress, Condition.Equal, 0);
        }

        return true;
    }

    /// <summary>arch/x86/kvm/mmu/mmu.c: <c>kvm_faultin_pfn</c>: which frame it is, and whether it may be written.</summary>
    protected virtual async Proc<Pte> KvmFaultinPfn(Cpu cpu, int page, bool write) => await GetUserPage(cpu, page, write);

    /// <summary>arch/x86/kvm/mmu/tdp_mmu.c: <c>kvm_tdp_mmu_map</c>, under mmu_lock.</summary>
    protected virtual async Proc KvmTdpMmuMap(Cpu cpu, int page, Pte entry, bool write)
        => await Mmu.SpteExchange(cpu, page, Pte.Leaf(entry.Frame, write), "set_spte");

    /// <summary>include/linux/kvm_host.h: <c>mmu_invalidate_retry_gfn</c>, under mmu_lock.</summary>
    protected virtual async Proc<FaultRetry> MmuInvalidateRetryGfn(Cpu cpu, ulong seq, int page)
    {
        if (await cpu.Load(InvalidateInProgress, weight: StepWeight.Context) != 0)
        {
            var range = new PageRange(await cpu.Load(InvalidateRange));
            if (page >= range.Start && page < range.End)
            {
                return FaultRetry.InProgress;
            }
        }

        return await cpu.Load(InvalidateSeq, MemoryOrder.Acquire, StepWeight.Key) == seq ? FaultRetry.No : FaultRetry.Sequence;
    }

    /// <summary>virt/kvm/kvm_main.c: <c>kvm_mmu_invalidate_begin</c> and <c>kvm_mmu_invalidate_range_add</c>, under mmu_lock.</summary>
    protected virtual async Proc KvmMmuInvalidateBegin(Cpu cpu, PageRange range)
    {
        ulong before = await cpu.Load(InvalidateInProgress);
        PageRange union = before == 0 ? range : new PageRange(await cpu.Load(InvalidateRange)).With(range);
        await cpu.Store(InvalidateInProgress, before + 1, weight: StepWeight.Key);
        await cpu.Store(InvalidateRange, union.Bits);
    }

    /// <summary>
    /// virt/kvm/kvm_main.c: <c>kvm_mmu_invalidate_end</c>, under mmu_lock: who looks without it must not see the count gone before the new
    /// sequence.
    /// </summary>
    protected virtual async Proc KvmMmuInvalidateEnd(Cpu cpu)
    {
        await cpu.Store(InvalidateSeq, await cpu.Load(InvalidateSeq) + 1, weight: StepWeight.Key);

        // Release: smp_wmb(); pairs with the barrier in mmu_invalidate_retry_gfn().
        ulong before = await cpu.Load(InvalidateInProgress);
        if (before == 0)
        {
            await cpu.Assert(false, "an invalidation that ends has begun");
        }

        await cpu.Store(InvalidateInProgress, before - 1, MemoryOrder.Release, StepWeight.Key);
    }

    /// <summary>virt/kvm/kvm_main.c: <c>kvm_unmap_gfn_range</c>: the TLBs are flushed before mmu_lock is dropped.</summary>
    protected virtual async Proc KvmUnmapGfnRange(Cpu cpu, PageRange range)
    {
        if (await ZapSptes(cpu, range, "zap_spte"))
        {
            await Mmu.FlushTlbs(cpu);
        }
    }
}

/// <summary>Why a fault must be tried again.</summary>
public enum FaultRetry
{
    /// <summary>What was looked up may be mapped.</summary>
    No,

    /// <summary>An invalidation of the page is in progress.</summary>
    InProgress,

    /// <summary>An invalidation ended since the sequence was read.</summary>
    Sequence,
}
