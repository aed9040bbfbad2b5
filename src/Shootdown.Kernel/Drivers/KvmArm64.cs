using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// KVM on arm64 (arch/arm64/kvm/mmu.c): the fault handler asks the area how large a block it may map, before it looks the page up.
/// The first two pages of the address space are what a block covers.
/// </summary>
public class KvmArm64(KernelModel kernel, Mm mm) : Kvm(kernel, mm)
{
    private const int BlockPages = 2;

    /// <summary>
    /// arch/arm64/kvm/mmu.c: <c>user_mem_abort</c>. What the area says must be as fresh as the page: so the sequence is read before mmap_lock
    /// is dropped
    /// (since 13ec9308a857).
    /// </summary>
    [KernelName("user_mem_abort")]
    public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, Mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, Mm);
        bool block = page < BlockPages && areas.Covers(0, BlockPages);
        ulong seq = ReadsSeqUnderMmapLock ? await ReadSeq(cpu) : 0;
        await Kernel.MmapLock.MmapReadUnlock(cpu, Mm);
        if (!areas.Allows(page, write))
        {
            return false;
        }

        seq = ReadsSeqUnderMmapLock ? seq : await ReadSeq(cpu);
        int first = block ? 0 : page;
        Pte entry = await KvmFaultinPfn(cpu, first, write);
        if (!entry.Present)
        {
            return false;
        }

        await cpu.SpinLock(MmuLock);
        FaultRetry retry = await MmuInvalidateRetry(cpu, seq);
        for (int i = 0; i < (block ? BlockPages : 1) && retry == FaultRetry.No; i++)
        {
            await Mmu.SpteExchange(cpu, first + i, Pte.Leaf(entry.Frame + i, write), "kvm_pgtable_stage2_map");
        }

        await cpu.SpinUnlock(MmuLock);
        if (retry == FaultRetry.InProgress)
        {
            await cpu.WaitUntil(InvalidateInProgress, Condition.Equal, 0);
        }

        return true;
    }

    /// <summary>
    /// include/linux/kvm_host.h: <c>mmu_invalidate_retry</c>, under mmu_lock. Whatever range is being invalidated: a block may reach into it
    /// although the page
    /// that faulted is outside.
    /// </summary>
    protected virtual async Proc<FaultRetry> MmuInvalidateRetry(Cpu cpu, ulong seq)
        => await cpu.Load(InvalidateInProgress, weight: StepWeight.Key) != 0 ? FaultRetry.InProgress
            : await cpu.Load(InvalidateSeq, MemoryOrder.Acquire, StepWeight.Key) == seq ? FaultRetry.No : FaultRetry.Sequence;

    /// <summary>True if the sequence is read before mmap_lock is dropped.</summary>
    protected virtual bool ReadsSeqUnderMmapLock => true;

    [KernelName]
    private async Proc<ulong> ReadSeq(Cpu cpu) => await cpu.Load(InvalidateSeq, MemoryOrder.Acquire, StepWeight.Key);
}
