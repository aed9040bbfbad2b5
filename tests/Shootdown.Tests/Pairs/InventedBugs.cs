using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// Mistakes that no kernel is known to have made, each written as docs/operation.md shows a patch: one method of one mechanism. They
/// are in no scenario, and no operation was written for them.
/// </summary>
internal static partial class InventedBugs
{
    public static IReadOnlyList<KernelPatch> All { get; } =
    [
        // Ranges.
        new Invented("flush-range-loses-last-page", parts => parts with { TlbFlush = kernel => new FlushesOnePageLess(kernel) }),
        new Invented("fork-flushes-first-page", parts => parts with { Fork = kernel => new ForkFlushesOnePage(kernel) }),
        new Invented("mremap-flushes-new-range", parts => parts with { Mremap = kernel => new MremapFlushesNewRange(kernel) }),
        new Invented("mprotect-skips-last-page", parts => parts with { Mprotect = kernel => new MprotectSkipsLastPage(kernel) }),
        new Invented("zap-skips-last-page", parts => parts with { Zap = kernel => new ZapSkipsLastPage(kernel) }),
        new Invented("clear-refs-skips-dirty", parts => parts with { ClearRefs = kernel => new ClearRefsSkipsDirty(kernel) }),
        new Invented("secondary-flush-first-page", parts => parts with { MmuNotifier = kernel => new SecondaryFlushOfOnePage(kernel) }),
        new Invented("notifier-start-first-page", parts => parts with { MmuNotifier = kernel => new StartOfOnePage(kernel) }),

        // Flushes that are left out.
        new Invented("clear-flush-skips-read-only", parts => parts with { PteOps = kernel => new ClearFlushOfWritable(kernel) }),
        new Invented("pte-needs-flush-not-for-write", parts => parts with { PteOps = kernel => new NeedsFlushIfGone(kernel) }),
        new Invented("nested-flush-off-by-one", parts => parts with { MmuGather = kernel => new NestedFromThree(kernel) }),
        new Invented("batch-flush-dirty-only", parts => parts with { TlbBatch = kernel => new BatchFlushesDirtyOnly(kernel) }),
        new Invented("batch-forgets-mask", parts => parts with { TlbBatch = kernel => new BatchOverwritesMask(kernel) }),
        new Invented("ksm-skips-flush-if-clean", parts => parts with { Ksm = kernel => new KsmFlushesDirtyOnly(kernel) }),
        new Invented("madvise-free-records-nothing", parts => parts with { Madvise = kernel => new FreeRecordsNothing(kernel) }),
        new Invented("tables-not-recorded", parts => parts with { MmuGather = kernel => new ForgetsFreedTables(kernel) }),

        // Order.
        new Invented("pending-cleared-before-flush", parts => parts with { TlbBatch = kernel => new MarksFlushedFirst(kernel) }),
        new Invented("flush-then-write-protect", parts => parts with { Writeback = kernel => new FlushesThenCleans(kernel) }),
        new Invented("clear-refs-flushes-first", parts => parts with { ClearRefs = kernel => new ClearRefsFlushesFirst(kernel) }),
        new Invented("gather-frees-before-flush", parts => parts with { MmuGather = kernel => new FreesThenFlushes(kernel) }),
        new Invented("table-freed-at-once", parts => parts with { PageTableFree = kernel => new FreesTableAtOnce(kernel) }),
        new Invented("pending-raised-behind-lock", parts => parts with { MmuGather = kernel => new CountsLate(kernel) }),
        new Invented("notifiers-behind-free", parts => parts with { Zap = kernel => new ZapIsSilent(kernel), MmuGather = kernel => new GatherNotifies(kernel) }),
        new Invented("clear-is-two-steps", parts => parts with { PteOps = kernel => new ClearsInTwoSteps(kernel) }),

        // Generations and switches.
        new Invented("generation-read-behind-flush", parts => parts with { TlbFlush = kernel => new CatchesUpTooFar(kernel) }),
        new Invented("generation-read-before-mask", parts => parts with { SwitchMm = kernel => new ReadsGenerationFirst(kernel) }),
        new Invented("asid-never-behind", parts => parts with { SwitchMm = kernel => new TrustsItsSlot(kernel) }),
        new Invented("lazy-never-catches-up", parts => parts with { SwitchMm = kernel => new StaysBehind(kernel) }),
        new Invented("lazy-leaves-mask", parts => parts with { LazyTlb = kernel => new LeavesMaskWhenLazy(kernel) }),

        // References, pins, copy-on-write.
        new Invented("reuse-with-two-references", parts => parts with { CopyOnWrite = kernel => new ReusesWithTwo(kernel) }),
        new Invented("cow-trusts-entry", parts => parts with { CopyOnWrite = kernel => new TrustsOldEntry(kernel) }),
        new Invented("fork-ignores-pins", parts => parts with { AnonExclusive = kernel => new SharesPinned(kernel) }),
        new Invented("gup-trusts-entry", parts => parts with { Gup = kernel => new GupTrustsEntry(kernel) }),
        new Invented("collapse-ignores-references", parts => parts with { Khugepaged = kernel => new CollapsesAnyway(kernel) }),
        new Invented("reclaim-ignores-references", parts => parts with { Reclaim = kernel => new ReclaimsAnyway(kernel) }),
        new Invented("numa-fault-restores-write", parts => parts with { NumaHinting = kernel => new RestoresWrite(kernel) }),
        new Invented("migration-loses-uffd-wp", parts => parts with { Migrate = kernel => new LosesUserfaultWp(kernel) }),

        new Invented("swap-loses-uffd-wp", parts => parts with { Reclaim = kernel => new SwapsWithoutMark(kernel) }),
        new Invented("mremap-loses-uffd-wp", parts => parts with { Mremap = kernel => new MovesWithoutMark(kernel) }),
        new Invented("collapse-ignores-uffd-wp", parts => parts with { Khugepaged = kernel => new CollapsesMarked(kernel) }),
        new Invented("modify-drops-uffd-wp", parts => parts with { PteOps = kernel => new ModifyLosesMark(kernel) }),
        new Invented("share-ignores-pins", parts => parts with { AnonExclusive = kernel => new SharesAnyway(kernel) }),

        // Switches of two CPUs at a time, the end of a process, a gather that is full.
        new Invented("mask-set-not-atomic", parts => parts with { SwitchMm = kernel => new SetsMaskInTwoSteps(kernel) }),
        new Invented("exit-keeps-device", parts => parts with { MmuNotifier = kernel => new ReleasesNobody(kernel) }),
        new Invented("full-gather-frees-first", parts => parts with { MmuGather = kernel => new FreesWhenFull(kernel) }),
        new Invented("no-wait-for-answers", parts => parts with { TlbFlush = kernel => new DoesNotWait(kernel) }),

        // Notifiers.
        new Invented("madvise-free-no-end", parts => parts with { Madvise = kernel => new FreeWithoutEnd(kernel) }),
        .. Rare,
        .. Tables,
        .. Copies,
        .. Left,
    ];

    private sealed class Invented(string id, Func<KernelParts, KernelParts> apply) : KernelPatch
    {
        public override string Id => id;

        public override KernelParts Apply(KernelParts parts) => apply(parts);
    }

    /// <summary>The end of the range is taken for its last page.</summary>
    private sealed class FlushesOnePageLess(KernelModel kernel) : TlbFlush(kernel)
    {
        public override Proc FlushTlbMmRange(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
            => base.FlushTlbMmRange(
                cpu, mm, range.IsAll || range.Count == 1 ? range : PageRange.Of(range.Start, range.Count - 1), strideLevel, freedTables);
    }

    private sealed class ForkFlushesOnePage(KernelModel kernel) : Fork(kernel)
    {
        protected override async Proc FlushParent(Cpu cpu, Mm parent) => await Kernel.TlbFlush.FlushTlbPage(cpu, parent, 0);
    }

    private sealed class MremapFlushesNewRange(KernelModel kernel) : Mremap(kernel)
    {
        protected override async Proc MoveEntries(Cpu cpu, Mm mm, int oldFirst, int newFirst, int count)
        {
            await base.MoveEntries(cpu, mm, oldFirst, newFirst, count);
            await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(newFirst, count));
        }

        protected override bool NeedsFlushUnderLocks(Pte old) => false;
    }

    private sealed class MprotectSkipsLastPage(KernelModel kernel) : Mprotect(kernel)
    {
        public override Proc ChangePteRange(TlbGather tlb, int first, int end, ProtectionChange change)
            => base.ChangePteRange(tlb, first, end - first > 1 ? end - 1 : end, change);
    }

    private sealed class ZapSkipsLastPage(KernelModel kernel) : Zap(kernel)
    {
        public override Proc ZapPteRange(TlbGather tlb, int first, int end)
            => base.ZapPteRange(tlb, first, end - first > 1 ? end - 1 : end);
    }

    /// <summary>What is dirty was written before, so why track it.</summary>
    private sealed class ClearRefsSkipsDirty(KernelModel kernel) : ClearRefs(kernel)
    {
        public override async Proc ClearSoftDirty(Cpu cpu, PageTable table, int page)
        {
            if (!(await cpu.EntryRead(table, page)).Dirty)
            {
                await base.ClearSoftDirty(cpu, table, page);
            }
        }
    }

    private sealed class SecondaryFlushOfOnePage(KernelModel kernel) : MmuNotifier(kernel)
    {
        public override Proc ArchInvalidateSecondaryTlbs(Cpu cpu, Mm mm, PageRange range)
            => base.ArchInvalidateSecondaryTlbs(cpu, mm, range.IsAll ? range : PageRange.Of(range.Start, 1));
    }

    private sealed class StartOfOnePage(KernelModel kernel) : MmuNotifier(kernel)
    {
        public override Proc InvalidateRangeStart(Cpu cpu, Mm mm, int first, int count)
            => base.InvalidateRangeStart(cpu, mm, first, 1);
    }

    private sealed class ClearFlushOfWritable(KernelModel kernel) : PteOps(kernel)
    {
        public override async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int page)
        {
            Pte old = await PtepGetAndClear(cpu, table, page);
            if (old.Write)
            {
                await Kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
            }

            return old;
        }
    }

    private sealed class NeedsFlushIfGone(KernelModel kernel) : PteOps(kernel)
    {
        public override bool PteNeedsFlush(Pte old, Pte value) => old.Present && !value.Present;
    }

    private sealed class NestedFromThree(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc<bool> MmTlbFlushNested(Cpu cpu, Mm mm) => await cpu.Load(mm.TlbFlushPending) > 2;
    }

    private sealed class BatchFlushesDirtyOnly(KernelModel kernel) : TlbBatch(kernel)
    {
        public override async Proc TryToUnmapFlush(Cpu cpu)
        {
            if (await cpu.Load(Kernel.UnmapBatches[cpu.Index].Writable) != 0)
            {
                await base.TryToUnmapFlush(cpu);
            }
        }
    }

    /// <summary>The CPUs of the last address space only.</summary>
    private sealed class BatchOverwritesMask(KernelModel kernel) : TlbBatch(kernel)
    {
        public override async Proc ArchTlbbatchAddPending(Cpu cpu, Mm mm)
        {
            await cpu.Store(Kernel.UnmapBatches[cpu.Index].CpuMask, 0);
            await base.ArchTlbbatchAddPending(cpu, mm);
        }
    }

    private sealed class KsmFlushesDirtyOnly(KernelModel kernel) : Ksm(kernel)
    {
        protected override async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int address)
            => (await cpu.EntryRead(table, address)).Dirty
                ? await base.PtepClearFlush(cpu, mm, table, address)
                : await Kernel.PteOps.PtepGetAndClear(cpu, table, address);
    }

    private sealed class FreeRecordsNothing(KernelModel kernel) : Madvise(kernel)
    {
        protected override async Proc ClearYoungDirtyPte(TlbGather tlb, PageTable table, int page, Pte entry, ulong bits)
        {
            Pte old = await Kernel.PteOps.PtepGetAndClear(tlb.Cpu, table, page);
            await Kernel.PteOps.SetPteAt(tlb.Cpu, table, page, old.Without(bits));
        }
    }

    private sealed class ForgetsFreedTables(KernelModel kernel) : MmuGather(kernel)
    {
        public override Proc TlbRemoveTableEntry(TlbGather tlb, int page, int level) => TlbRemoveTlbEntry(tlb, page, 0);
    }

    /// <summary>Says that all is flushed and flushes then.</summary>
    private sealed class MarksFlushedFirst(KernelModel kernel) : TlbBatch(kernel)
    {
        public override async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        {
            ulong batch = await cpu.Load(mm.TlbFlushBatched);
            ulong pending = batch & 0x7fff;
            if (pending != batch >> 16)
            {
                await cpu.CompareExchange(mm.TlbFlushBatched, batch, pending | (pending << 16));
                await Kernel.TlbFlush.FlushTlbMm(cpu, mm);
            }
        }
    }

    private sealed class FlushesThenCleans(KernelModel kernel) : Writeback(kernel)
    {
        public override async Proc<bool> PageMkcleanOne(Cpu cpu, Mm mm, PageTable table, int page, Pte entry)
        {
            if (!entry.Dirty && !entry.Write)
            {
                return false;
            }

            await Kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
            await cpu.EntryClearBits(table, page, Pte.WriteBit | Pte.DirtyBit, "ptep_clear_bits");
            return true;
        }
    }

    private sealed class ClearRefsFlushesFirst(KernelModel kernel) : ClearRefs(kernel)
    {
        public override async Proc ClearRefsWrite(Cpu cpu, Mm mm, Promise promise)
        {
            await cpu.BeginPromise(promise);
            await Kernel.MmapLock.MmapWriteLock(cpu, mm);
            await Kernel.TlbFlush.FlushTlbMm(cpu, mm);
            await WalkPageRange(cpu, mm, promise.FirstPage, promise.PageCount);
            await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
            await cpu.ReturnPromise(promise);
        }
    }

    private sealed class FreesThenFlushes(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc TlbFlushMmu(TlbGather tlb)
        {
            await TlbFlushMmuFree(tlb);
            await TlbFlushMmuTlbonly(tlb);
        }
    }

    private sealed class FreesTableAtOnce(KernelModel kernel) : PageTableFree(kernel)
    {
        public override async Proc TlbRemoveTable(TlbGather tlb, int table) => await tlb.Cpu.FreeTable(table);
    }

    /// <summary>The count goes up when there is something to flush, which is behind the lock that others take.</summary>
    private sealed class CountsLate(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc<TlbGather> TlbGatherMmu(Cpu cpu, Mm mm) => new TlbGather(cpu, mm, Kernel.Gathers[cpu.Index]);

        public override async Proc TlbFinishMmu(TlbGather tlb)
        {
            await tlb.Cpu.AddReturn(tlb.Mm.TlbFlushPending, 1);
            await base.TlbFinishMmu(tlb);
        }
    }

    private sealed class ZapIsSilent(KernelModel kernel) : Zap(kernel)
    {
        public override Proc UnmapVmas(TlbGather tlb, int first, int count)
            => UnmapPageRange(tlb, first, first + count, tlb.Mm.FileAreaOf(first));
    }

    private sealed class GatherNotifies(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc TlbFinishMmu(TlbGather tlb)
        {
            await base.TlbFinishMmu(tlb);
            if (tlb.Mm.HasNotifiers)
            {
                await Kernel.MmuNotifier.InvalidateRangeStart(tlb.Cpu, tlb.Mm, 0, Machine.Paging.PageCount);
                await Kernel.MmuNotifier.InvalidateRangeEnd(tlb.Cpu, tlb.Mm, 0, Machine.Paging.PageCount);
            }
        }
    }

    /// <summary>The dirty bit that hardware sets between the two is lost.</summary>
    private sealed class ClearsInTwoSteps(KernelModel kernel) : PteOps(kernel)
    {
        public override async Proc<Pte> PtepGetAndClear(Cpu cpu, PageTable table, int page)
        {
            Pte seen = await cpu.EntryRead(table, page);
            await cpu.EntryExchange(table, page, Pte.None, "pte_clear");
            return seen;
        }
    }

    private sealed class CatchesUpTooFar(KernelModel kernel) : TlbFlush(kernel)
    {
        protected override async Proc CatchUp(Cpu cpu, Mm mm, Word slotTlbGen, ulong mmTlbGen)
            => await cpu.Store(slotTlbGen, await cpu.Load(mm.TlbGen));
    }

    private sealed class ReadsGenerationFirst(KernelModel kernel) : SwitchMm(kernel)
    {
        protected override async Proc<ulong> BecomeTarget(Cpu cpu, Mm next)
        {
            ulong generation = await cpu.Load(next.TlbGen);
            await cpu.FetchOr(next.CpuMask, cpu.Bit);
            return generation;
        }
    }

    private sealed class TrustsItsSlot(KernelModel kernel) : SwitchMm(kernel)
    {
        public override async Proc<int> ChooseNewAsid(Cpu cpu, Mm? next, ulong nextGen) => await base.ChooseNewAsid(cpu, next, 0);
    }

    private sealed class StaysBehind(KernelModel kernel) : SwitchMm(kernel)
    {
        protected override async Proc LeaveLazyMode(Cpu cpu, Mm mm) => await cpu.FullBarrier();
    }

    /// <summary>Nobody interrupts it any more, but its root stays loaded.</summary>
    private sealed class LeavesMaskWhenLazy(KernelModel kernel) : LazyTlb(kernel)
    {
        public override async Proc EnterLazyTlb(Cpu cpu)
        {
            await base.EnterLazyTlb(cpu);
            await cpu.FetchAndNot(Kernel.Mms[0].CpuMask, CpuSet.Of(cpu));
        }
    }

    private sealed class ReusesWithTwo(KernelModel kernel) : CopyOnWrite(kernel)
    {
        public override async Proc<bool> WpCanReuseAnonFolio(Cpu cpu, int frame)
            => await cpu.Load(Kernel.Folios[frame].Frame.RefCount) <= 2;
    }

    /// <summary>Behind the copy the entry is replaced, whatever it is by then.</summary>
    private sealed class TrustsOldEntry(KernelModel kernel) : CopyOnWrite(kernel)
    {
        public override async Proc WpPageCopy(Cpu cpu, Mm mm, int page, Pte entry)
        {
            int copy = await cpu.AllocFrame(page);
            await cpu.CopyFrame(entry.Frame, copy, "wp_page_copy_user");
            if (mm.HasNotifiers)
            {
                await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, page, 1);
            }

            PageTable again = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
            Pte old = again.Index < 0 ? Pte.None : await Kernel.PteOps.PtepClearFlush(cpu, mm, again, page);
            if (old.MapsFrame)
            {
                await Kernel.PageFault.FolioAddNewAnonRmap(cpu, copy);
                await Kernel.PteOps.SetPteAt(cpu, again, page, Kernel.PteOps.PteMkdirty(Pte.Leaf(copy, true)));
                await Kernel.Rmap.FolioRemoveRmapPte(cpu, old.Frame);
                await cpu.PutFrames(FrameSet.Of(old.Frame), "folio_put");
            }

            if (again.Index >= 0)
            {
                await Kernel.PageWalk.PteUnmapUnlock(cpu, again);
            }

            if (mm.HasNotifiers)
            {
                await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, page, 1);
            }

            await cpu.PutFrames(FrameSet.Of(entry.Frame), "folio_put");
        }
    }

    private sealed class SharesPinned(KernelModel kernel) : AnonExclusive(kernel)
    {
        public override async Proc<bool> FolioTryDupAnonRmapPte(Cpu cpu, int frame)
        {
            await cpu.Store(Kernel.Folios[frame].AnonExclusive, 0);
            return true;
        }
    }

    private sealed class GupTrustsEntry(KernelModel kernel) : Gup(kernel)
    {
        protected override async Proc<bool> PteChanged(GupCall call, PageTable table, Pte pte) => false;
    }

    private sealed class CollapsesAnyway(KernelModel kernel) : Khugepaged(kernel)
    {
        public override async Proc<bool> IsRefcountSuitable(Cpu cpu, int frame) => true;
    }

    private sealed class ReclaimsAnyway(KernelModel kernel) : Reclaim(kernel)
    {
        protected override async Proc<bool> RemoveMapping(Cpu cpu, int frame, FolioMapping mapping)
        {
            await cpu.Store(Kernel.Folios[frame].Frame.RefCount, 0);
            return mapping.IsNone;
        }
    }

    private sealed class RestoresWrite(KernelModel kernel) : NumaHinting(kernel)
    {
        public override async Proc NumaRebuildSingleMapping(Cpu cpu, PageTable table, int page, bool mayWrite)
        {
            Pte old = await Kernel.PteOps.PtepModifyProtStart(cpu, table, page);
            Pte value = old.With(Pte.PresentBit).Without(Pte.ProtNoneBit);
            await Kernel.PteOps.PtepModifyProtCommit(cpu, table, page, mayWrite ? value.With(Pte.WriteBit) : value);
        }
    }

    private sealed class LosesUserfaultWp(KernelModel kernel) : Migrate(kernel)
    {
        public override Proc<bool> SetMigrationEntry(Cpu cpu, PageTable table, int page, Pte old)
            => base.SetMigrationEntry(cpu, table, page, old.Without(Pte.UserfaultWpBit));
    }

    private sealed class FreeWithoutEnd(KernelModel kernel) : Madvise(kernel)
    {
        public override async Proc MadviseFree(Cpu cpu, Mm mm, int first, int count)
        {
            await Kernel.MmapLock.MmapReadLock(cpu, mm);
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            if (mm.HasNotifiers)
            {
                await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, first, count);
            }

            await WalkPageRange(tlb, first, count, MadviseWalk.Free);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
            await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        }
    }

    private sealed class SwapsWithoutMark(KernelModel kernel) : Reclaim(kernel)
    {
        protected override Pte SwpEntry(int page, Pte old) => Pte.Swap(page);
    }

    private sealed class MovesWithoutMark(KernelModel kernel) : Mremap(kernel)
    {
        protected override async Proc MoveEntries(Cpu cpu, Mm mm, int oldFirst, int newFirst, int count)
        {
            await base.MoveEntries(cpu, mm, oldFirst, newFirst, count);
            PageTable to = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, newFirst);
            Pte moved = await cpu.EntryRead(to, newFirst);
            if (moved.UserfaultWp)
            {
                await Kernel.PteOps.SetPteAt(cpu, to, newFirst, moved.Without(Pte.UserfaultWpBit));
            }

            await Kernel.PageWalk.PteUnmapUnlock(cpu, to);
        }
    }

    /// <summary>Without the fix dd47ac428c3f.</summary>
    private sealed class CollapsesMarked(KernelModel kernel) : Khugepaged(kernel)
    {
        public override async Proc<bool> CollapseHugePageIsolate(Cpu cpu, PageTable table)
        {
            for (int page = table.BasePage; page < table.BasePage + Span; page++)
            {
                Pte pte = await cpu.EntryRead(table, page);
                if (!pte.IsNone && (!pte.Present || !await IsolatePage(cpu, pte.Frame)))
                {
                    return false;
                }
            }

            return true;
        }
    }

    private sealed class ModifyLosesMark(KernelModel kernel) : PteOps(kernel)
    {
        public override async Proc<Pte> PtepModifyProtStart(Cpu cpu, PageTable table, int page)
            => (await base.PtepModifyProtStart(cpu, table, page)).Without(Pte.UserfaultWpBit);
    }

    private sealed class SharesAnyway(KernelModel kernel) : AnonExclusive(kernel)
    {
        public override async Proc<bool> FolioTryShareAnonRmapPte(Cpu cpu, int frame)
        {
            await ClearPageAnonExclusive(cpu, frame);
            return true;
        }
    }

    private sealed class SetsMaskInTwoSteps(KernelModel kernel) : SwitchMm(kernel)
    {
        protected override async Proc<ulong> BecomeTarget(Cpu cpu, Mm next)
        {
            CpuSet mask = await cpu.Load(next.CpuMask);
            await cpu.Store(next.CpuMask, mask.With(cpu));
            return await cpu.Load(next.TlbGen);
        }
    }

    private sealed class ReleasesNobody(KernelModel kernel) : MmuNotifier(kernel)
    {
        public override async Proc Release(Cpu cpu, Mm mm)
        {
        }

        public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, Mm mm, PageRange range)
        {
        }
    }

    private sealed class FreesWhenFull(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc<bool> TlbRemovePage(TlbGather tlb, int frame, bool delayRmap)
        {
            if (await base.TlbRemovePage(tlb, frame, delayRmap))
            {
                await TlbFlushMmuFree(tlb);
            }

            return false;
        }
    }

    private sealed class DoesNotWait(KernelModel kernel) : TlbFlush(kernel)
    {
        protected override async Proc CsdLockWait(Cpu cpu)
        {
        }
    }
}
