using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Batched flushing for unmapping by reclaim (mm/rmap.c, arch/x86/mm/tlb.c): entries are cleared now and flushed once
/// for many pages later. Until then a word of the address space tells whoever looks at entries under their lock that
/// a flush is owed.
/// </summary>
public class TlbBatch(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>Bits of each counter in the kernel.</summary>
    public const int KernelCounterBits = 15;

    /// <summary>Where the count of flushed requests begins in <c>tlb_flush_batched</c>.</summary>
    protected const int FlushedShift = 16;

    /// <summary>The bits of the count of requests in <c>tlb_flush_batched</c>.</summary>
    protected ulong PendingMask => (1UL << Kernel.Options.BatchCounterBits) - 1;

    /// <summary>mm/rmap.c: <c>should_defer_flush</c>: only if some other CPU would have to be interrupted.</summary>
    public virtual async Proc<bool> ShouldDeferFlush(Cpu cpu, Mm mm)
    {
        await cpu.PreemptDisable();
        bool others = !(await cpu.Load(mm.CpuMask)).Without(cpu).IsEmpty;
        await cpu.PreemptEnable();
        return others;
    }

    /// <summary>
    /// mm/rmap.c: <c>set_tlb_ubc_flush_pending</c>. Runs under the lock of the table whose entry was cleared: who
    /// takes the lock later sees the word. 6.1 also adds entries that were not accessible.
    /// </summary>
    public virtual async Proc SetTlbUbcFlushPending(Cpu cpu, Mm mm, Pte old)
    {
        if (!await Kernel.PteOps.PteAccessible(cpu, mm, old))
        {
            return;
        }

        UnmapBatch batch = Kernel.UnmapBatches[cpu.Index];
        await ArchTlbbatchAddPending(cpu, mm);
        await cpu.Store(batch.FlushRequired, 1);
        await IncFlushBatched(cpu, mm);
        if (old.Dirty)
        {
            await cpu.Store(batch.Writable, 1);
        }
    }

    /// <summary>
    /// The end of <c>set_tlb_ubc_flush_pending</c>: counts the request. If pending could overflow and come to equal
    /// flushed, which would hide what is owed, both start again, at one request and no flush.
    /// </summary>
    /// <remarks>
    /// No small model makes the 16384 requests that the kernel's counters take: at their width only the increment is a step there.
    /// </remarks>
    protected virtual async Proc IncFlushBatched(Cpu cpu, Mm mm)
    {
        ulong large = PendingMask / 2;
        ulong batch = Kernel.Options.BatchCounterBits == KernelCounterBits && Machine.Timed is null ? 0 : await cpu.Load(mm.TlbFlushBatched);
        while ((batch & PendingMask) > large)
        {
            ulong found = await cpu.CompareExchange(mm.TlbFlushBatched, batch, 1);
            if (found == batch)
            {
                return;
            }

            batch = found;
        }

        await cpu.AddReturn(mm.TlbFlushBatched, 1);
    }

    /// <summary>
    /// arch/x86/include/asm/tlbflush.h: <c>arch_tlbbatch_add_pending</c> (6.1: <c>arch_tlbbatch_add_mm</c>). The
    /// locked increment orders the cleared entry before the read of the mask; a CPU that is not in the mask yet will
    /// see the generation.
    /// </summary>
    public virtual async Proc ArchTlbbatchAddPending(Cpu cpu, Mm mm)
    {
        UnmapBatch batch = Kernel.UnmapBatches[cpu.Index];
        await Kernel.TlbFlush.IncMmTlbGen(cpu, mm);
        CpuSet mask = await cpu.Load(mm.CpuMask);
        await cpu.Store(batch.CpuMask, await cpu.Load(batch.CpuMask) | mask);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.ArchInvalidateSecondaryTlbs(cpu, mm, PageRange.All);
        }
    }

    /// <summary>
    /// mm/rmap.c: <c>try_to_unmap_flush</c>: before anything that was unmapped in the batch is freed.
    /// </summary>
    public virtual async Proc TryToUnmapFlush(Cpu cpu)
    {
        UnmapBatch batch = Kernel.UnmapBatches[cpu.Index];
        if (await cpu.Load(batch.FlushRequired) != 0)
        {
            await ArchTlbbatchFlush(cpu);
            await cpu.Store(batch.FlushRequired, 0);
            await cpu.Store(batch.Writable, 0);
        }
    }

    /// <summary>
    /// mm/rmap.c: <c>try_to_unmap_flush_dirty</c>: before IO starts on a page whose entry was dirty.
    /// </summary>
    public virtual async Proc TryToUnmapFlushDirty(Cpu cpu)
    {
        if (await cpu.Load(Kernel.UnmapBatches[cpu.Index].Writable) != 0)
        {
            await TryToUnmapFlush(cpu);
        }
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>arch_tlbbatch_flush</c>. The request names no address space and no generation: each CPU
    /// catches up with whatever it runs. CPUs that are lazy or run something else now catch up when they switch back.
    /// </summary>
    public virtual async Proc ArchTlbbatchFlush(Cpu cpu)
    {
        UnmapBatch batch = Kernel.UnmapBatches[cpu.Index];
        await cpu.PreemptDisable();
        FlushTlbInfo info = FlushTlbInfo.Of(null, PageRange.All, 0, false, FlushTlbInfo.TlbGenerationInvalid);
        CpuSet mask = await cpu.Load(batch.CpuMask);
        if (!mask.IsEmpty)
        {
            await Kernel.TlbFlush.FlushTlbMulti(cpu, mask, info);
        }

        await cpu.Store(batch.CpuMask, default(CpuSet));
        await cpu.PreemptEnable();
    }

    /// <summary>
    /// mm/rmap.c: <c>flush_tlb_batched_pending</c>. To be called with the table's lock held, before entries are
    /// looked at. If the word changed meanwhile, a newer request stays visible: the compare-exchange fails and is not
    /// repeated.
    /// </summary>
    public virtual async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
    {
        ulong batch = await cpu.Load(mm.TlbFlushBatched);
        ulong pending = batch & PendingMask;
        ulong flushed = batch >> FlushedShift;
        if (pending != flushed)
        {
            await Kernel.TlbFlush.FlushTlbMm(cpu, mm);
            await cpu.CompareExchange(mm.TlbFlushBatched, batch, pending | (pending << FlushedShift));
        }
    }
}

/// <summary>
/// The task's unmap batch (<c>struct tlbflush_unmap_batch</c>); each CPU has one task in these models.
/// </summary>
public sealed class UnmapBatch : MachineHandle
{
    internal UnmapBatch(Cpu cpu)
        : base(cpu.Machine)
    {
        string name = $"cpu{cpu.Index}.tlb_ubc";
        CpuMask = Machine.NewLocalCpuMask(cpu, $"{name}.cpumask");
        FlushRequired = Machine.NewLocalWord(cpu, $"{name}.flush_required");
        Writable = Machine.NewLocalWord(cpu, $"{name}.writable");
    }

    /// <summary>CPUs that may hold what was unmapped.</summary>
    public CpuMask CpuMask { get; }

    /// <summary>1 if the batch must be flushed.</summary>
    public Word FlushRequired { get; }

    /// <summary>1 if an entry of the batch was dirty.</summary>
    public Word Writable { get; }
}
