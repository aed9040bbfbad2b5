using System.Numerics;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Gathering of what a zap removes (mm/mmu_gather.c, include/asm-generic/tlb.h): entries are cleared under their
/// tables' locks, and one flush for all of them comes later. What they mapped is freed behind that flush.
/// </summary>
public class MmuGather(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_gather_mmu</c>. Raising tlb_flush_pending comes before the first change of an entry:
    /// who takes a table's lock behind this gather sees the count.
    /// </summary>
    public virtual async Proc<TlbGather> TlbGatherMmu(Cpu cpu, Mm mm)
    {
        await cpu.AddReturn(mm.TlbFlushPending, 1);
        return new TlbGather(cpu, mm, Kernel.Gathers[cpu.Index]);
    }

    /// <summary>include/asm-generic/tlb.h: <c>tlb_start_vma</c>: notes what kind of area comes.</summary>
    public virtual async Proc TlbStartVma(TlbGather tlb, FileArea? area)
    {
        ulong flags = await tlb.Cpu.Load(tlb.Words.Flags) & ~GatherWords.VmaPfn;
        await tlb.Cpu.Store(
            tlb.Words.Flags, area?.Kind == FileAreaKind.PfnMap ? flags | GatherWords.VmaPfn : flags);
    }

    /// <summary>
    /// include/asm-generic/tlb.h: <c>tlb_end_vma</c>: memory of a driver has no counts, so it must be flushed before the
    /// area leaves the file's list, or unmap_mapping_range finds nothing to wait for. Not for a whole address space.
    /// </summary>
    public virtual async Proc TlbEndVma(TlbGather tlb)
    {
        ulong flags = await tlb.Cpu.Load(tlb.Words.Flags);
        if ((flags & GatherWords.VmaPfn) != 0 && (flags & GatherWords.FullMm) == 0)
        {
            await TlbFlushMmuTlbonly(tlb);
        }
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_gather_mmu_fullmm</c>: for an address space that is torn down as a whole. All is
    /// flushed, whatever is recorded.
    /// </summary>
    public virtual async Proc<TlbGather> TlbGatherMmuFullmm(Cpu cpu, Mm mm)
    {
        TlbGather tlb = await TlbGatherMmu(cpu, mm);
        await SetFlags(tlb, GatherWords.FullMm);
        return tlb;
    }

    /// <summary>
    /// arch/x86/include/asm/pgalloc.h: what <c>pmd_free_tlb</c> does under PAE: invalidating single pages will not
    /// do.
    /// </summary>
    public virtual async Proc NeedFlushAll(TlbGather tlb) => await SetFlags(tlb, GatherWords.NeedFlushAll);

    /// <summary>
    /// include/asm-generic/tlb.h: <c>tlb_remove_tlb_entry</c>: an entry of a level was cleared or restricted.
    /// </summary>
    public virtual async Proc TlbRemoveTlbEntry(TlbGather tlb, int page, int level)
    {
        await AdjustRange(tlb, PageRange.Of(page, Machine.Paging.SpanOf(level)));
        await SetFlags(tlb, GatherWords.Cleared(level));
    }

    /// <summary>
    /// include/asm-generic/tlb.h: the part of <c>pte_free_tlb</c> that records a table that was unhooked: one page of
    /// range and the level above it.
    /// </summary>
    [KernelName("pte_free_tlb")]
    public virtual async Proc TlbRemoveTableEntry(TlbGather tlb, int page, int level)
    {
        await AdjustRange(tlb, PageRange.Of(page, 1));
        await SetFlags(tlb, GatherWords.Cleared(level) | GatherWords.FreedTables);
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>__tlb_remove_folio_pages</c>: queues a reference of a frame; true if the queue is full now.
    /// If the frame is queued already, one of the two references may go at once: the other one keeps the frame.
    /// </summary>
    /// <param name="tlb">The gather.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="delayRmap">True if its rmap is removed by <see cref="TlbFlushRmaps"/>.</param>
    [KernelName("__tlb_remove_page")]
    public virtual async Proc<bool> TlbRemovePage(TlbGather tlb, int frame, bool delayRmap)
    {
        if (tlb.Words.Batch is { } batch)
        {
            bool isLast = Machine.Timed!.Memory.OfFrame(frame, FrameSlot.RefCount) == 1;
            Machine.Timed.HoldBack(tlb.Cpu, isLast ? 1 : 0);
            return batch.Add(frame, delayRmap, isLast) >= Kernel.Options.GatherFrames;
        }

        if (delayRmap)
        {
            ulong delayed = await tlb.Cpu.Load(tlb.Words.DelayedRmaps);
            if ((delayed & (1UL << frame)) != 0)
            {
                await Kernel.Rmap.FolioRemoveRmapPte(tlb.Cpu, frame);
            }

            await tlb.Cpu.Store(tlb.Words.DelayedRmaps, delayed | (1UL << frame));
        }

        ulong frames = await tlb.Cpu.Load(tlb.Words.Frames);
        if ((frames & (1UL << frame)) != 0)
        {
            await tlb.Cpu.PutFrames(FrameSet.Of(frame), "folio_put");
        }

        frames |= 1UL << frame;
        await tlb.Cpu.Store(tlb.Words.Frames, frames);
        return BitOperations.PopCount(frames) >= Kernel.Options.GatherFrames;
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_flush_rmaps</c> (since 6.2): removes the rmaps that were delayed, behind the flush and
    /// under the same table lock.
    /// </summary>
    public virtual async Proc TlbFlushRmaps(TlbGather tlb)
    {
        for (int i = 0; i < (tlb.Words.Batch?.Delayed.Count ?? 0); i++)
        {
            await Kernel.Rmap.FolioRemoveRmapPte(tlb.Cpu, tlb.Words.Batch!.Delayed[i]);
        }

        tlb.Words.Batch?.Delayed.Clear();
        for (ulong rest = await tlb.Cpu.Load(tlb.Words.DelayedRmaps); rest != 0; rest &= rest - 1)
        {
            await Kernel.Rmap.FolioRemoveRmapPte(tlb.Cpu, BitOperations.TrailingZeroCount(rest));
        }

        await tlb.Cpu.Store(tlb.Words.DelayedRmaps, 0);
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_flush_mmu_tlbonly</c>. Nothing recorded: nothing is flushed. Queued frames stay
    /// queued.
    /// </summary>
    public virtual async Proc TlbFlushMmuTlbonly(TlbGather tlb)
    {
        ulong flags = await tlb.Cpu.Load(tlb.Words.Flags);
        if ((flags & (GatherWords.FreedTables | GatherWords.ClearedMask)) == 0)
        {
            return;
        }

        await TlbFlush(tlb, flags);
        await tlb.Cpu.Store(tlb.Words.Range, 0);
        await tlb.Cpu.Store(tlb.Words.Flags, flags & GatherWords.StayMask);
    }

    /// <summary>mm/mmu_gather.c: <c>tlb_flush_mmu</c>: flushes, then drops what was queued.</summary>
    public virtual async Proc TlbFlushMmu(TlbGather tlb)
    {
        await TlbFlushMmuTlbonly(tlb);
        await TlbFlushMmuFree(tlb);
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_finish_mmu</c>. If another gather of the address space is under way, it may have
    /// cleared entries that this one found empty and recorded nothing for: then everything is flushed, whatever was
    /// recorded. The count goes down behind the flush.
    /// </summary>
    public virtual async Proc TlbFinishMmu(TlbGather tlb)
    {
        if (await MmTlbFlushNested(tlb.Cpu, tlb.Mm))
        {
            await tlb.Cpu.Store(tlb.Words.Range, 0);
            await tlb.Cpu.Store(tlb.Words.Flags, GatherWords.FullMm | GatherWords.FreedTables);
        }

        await TlbFlushMmu(tlb);
        await tlb.Cpu.Store(tlb.Words.Flags, 0);
        await tlb.Cpu.AddReturn(tlb.Mm.TlbFlushPending, -1);
    }

    /// <summary>
    /// include/linux/mm_inline.h: <c>mm_tlb_flush_nested</c>. Meaningful to a gather that took the tables' locks:
    /// whoever cleared an entry that it saw empty had raised the count before taking the lock.
    /// </summary>
    public virtual async Proc<bool> MmTlbFlushNested(Cpu cpu, Mm mm)
        => await cpu.Load(mm.TlbFlushPending, weight: StepWeight.Context) > 1;

    /// <summary>
    /// arch/x86/include/asm/tlb.h: <c>tlb_flush</c>: the recorded range, in steps of the lowest level that was
    /// cleared.
    /// </summary>
    protected virtual async Proc TlbFlush(TlbGather tlb, ulong flags)
    {
        bool whole = (flags & (GatherWords.FullMm | GatherWords.NeedFlushAll)) != 0;
        PageRange range = whole ? PageRange.All : new PageRange(await tlb.Cpu.Load(tlb.Words.Range));
        await Kernel.TlbFlush.FlushTlbMmRange(
            tlb.Cpu, tlb.Mm, range, GatherWords.LowestCleared(flags), (flags & GatherWords.FreedTables) != 0);
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_flush_mmu_free</c>: tables first, then frames (<c>tlb_batch_pages_flush</c>).
    /// </summary>
    protected virtual async Proc TlbFlushMmuFree(TlbGather tlb)
    {
        await Kernel.PageTableFree.TlbTableFlush(tlb);
        if (tlb.Words.Batch is { } batch)
        {
            Machine.Timed!.HoldBack(tlb.Cpu, -batch.Held);
            FrameSet queued = batch.TakeFrames();
            await Kernel.LruLists.LruAddDrain(tlb.Cpu);
            await Kernel.LruLists.ReleasePages(tlb.Cpu, queued);
            await tlb.Cpu.PutFrames(queued, "free_pages_and_swap_cache");
            return;
        }

        ulong frames = await tlb.Cpu.Load(tlb.Words.Frames);
        if (frames != 0)
        {
            await tlb.Cpu.PutFrames(frames, "free_pages_and_swap_cache");
            await tlb.Cpu.Store(tlb.Words.Frames, 0);
        }
    }

    /// <summary>include/asm-generic/tlb.h: <c>__tlb_adjust_range</c>.</summary>
    [KernelName("__tlb_adjust_range")]
    protected static async Proc AdjustRange(TlbGather tlb, PageRange added)
    {
        var range = new PageRange(await tlb.Cpu.Load(tlb.Words.Range));
        await tlb.Cpu.Store(tlb.Words.Range, range.With(added).Bits);
    }

    /// <summary>Adds to <see cref="GatherWords.Flags"/>.</summary>
    [KernelName]
    protected static async Proc SetFlags(TlbGather tlb, ulong flags)
        => await tlb.Cpu.Store(tlb.Words.Flags, await tlb.Cpu.Load(tlb.Words.Flags) | flags);
}

/// <summary>A gather that is under way, as kernel code passes it around (<c>struct mmu_gather *tlb</c>).</summary>
/// <param name="Cpu">The CPU whose task it belongs to.</param>
/// <param name="Mm">The address space.</param>
/// <param name="Words">What it has gathered.</param>
public readonly record struct TlbGather(Cpu Cpu, Mm Mm, GatherWords Words);

/// <summary>
/// What the gather of a CPU's task has recorded: words on that task's stack, so no scheduling points. All 0 when
/// there is none.
/// </summary>
public sealed class GatherWords : MachineHandle
{
    /// <summary>Flag: page tables are freed.</summary>
    public const ulong FreedTables = 1;

    /// <summary>Flag: flush the whole address space.</summary>
    public const ulong FullMm = 2;

    /// <summary>Flag: flush all, range or not.</summary>
    public const ulong NeedFlushAll = 4;

    /// <summary>Flag: the area is a mapping of a driver's memory (<c>vma_pfn</c>).</summary>
    public const ulong VmaPfn = 8;

    /// <summary>Flag: page tables that become empty are freed (<c>zap_details.reclaim_pt</c>).</summary>
    public const ulong ReclaimPt = 0x100;

    /// <summary>Flags that a flush does not reset.</summary>
    public const ulong StayMask = FullMm | NeedFlushAll | VmaPfn | ReclaimPt;

    /// <summary>Flags of all levels (<c>cleared_ptes</c>, <c>cleared_pmds</c>, ...).</summary>
    public const ulong ClearedMask = 0xf0;

    internal GatherWords(Cpu cpu)
        : this(cpu.Machine, $"cpu{cpu.Index}.tlb", name => cpu.Machine.NewLocalWord(cpu, name))
    {
    }

    private GatherWords(MachineModel machine, string name, Func<string, Word> newWord)
        : base(machine)
    {
        Batch = machine.Timed is null ? null : new GatherBatch();
        Range = newWord($"{name}.range");
        Flags = newWord($"{name}.flags");
        Frames = newWord($"{name}.pages");
        Tables = newWord($"{name}.tables");
        DelayedRmaps = newWord($"{name}.delayed_rmap");
    }

    /// <summary>A gather that any CPU may reach, as a per-CPU object can be whose user has moved: every use is a step.</summary>
    public static GatherWords Shared(MachineModel machine, string name)
    {
        ArgumentNullException.ThrowIfNull(machine);
        return new GatherWords(machine, name, word => machine.NewWord(word));
    }

    /// <summary>A gather on the stack of a task that may move.</summary>
    public static GatherWords OnStack(MachineModel machine, string name)
    {
        ArgumentNullException.ThrowIfNull(machine);
        return new GatherWords(machine, name, machine.NewStackWord);
    }

    /// <summary>
    /// The queues of a machine of real size (<c>struct mmu_gather_batch</c>), where masks do not do. Only the CPU's own
    /// task sees them, so using them is no step.
    /// </summary>
    public GatherBatch? Batch { get; }

    /// <summary>Range to flush, as <see cref="PageRange"/>.</summary>
    public Word Range { get; }

    /// <summary>Flags.</summary>
    public Word Flags { get; }

    /// <summary>Frames whose rmap is removed behind the flush, as a bit mask.</summary>
    public Word DelayedRmaps { get; }

    /// <summary>Frames of which a reference is dropped behind the flush, as a bit mask.</summary>
    public Word Frames { get; }

    /// <summary>Page tables to free behind the flush, as a bit mask.</summary>
    public Word Tables { get; }

    /// <summary>Flag: an entry of the level was cleared.</summary>
    public static ulong Cleared(int level) => 0x10UL << level;

    /// <summary>The lowest level that was cleared; 0 if none is recorded.</summary>
    public static int LowestCleared(ulong flags)
        => (flags & ClearedMask) == 0 ? 0 : BitOperations.TrailingZeroCount(flags & ClearedMask) - 4;
}
