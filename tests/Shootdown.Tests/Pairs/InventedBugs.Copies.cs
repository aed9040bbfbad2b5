using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <content>Pages that take the place of others, and protection that is lifted or comes back with them.</content>
internal static partial class InventedBugs
{
    private static IReadOnlyList<KernelPatch> Copies =>
    [
        new Invented("cow-sets-before-flush", parts => parts with { CopyOnWrite = kernel => new CopiesOnWrite(kernel, flushesLast: true) }),
        new Invented("cow-ends-before-change", parts => parts with { CopyOnWrite = kernel => new CopiesOnWrite(kernel, flushesLast: false) }),
        new Invented("migration-copies-behind-mapping", parts => parts with { Migrate = kernel => new CopiesLate(kernel) }),
        new Invented("reclaim-drops-dirty-of-files", parts => parts with { Reclaim = kernel => new DropsDirty(kernel) }),
        new Invented("writeback-ignores-entries", parts => parts with { Writeback = kernel => new IgnoresEntries(kernel) }),
        new Invented("uffd-wakes-before-lifting", parts => parts with { Userfaultfd = kernel => new WakesFirst(kernel) }),
        new Invented("uffd-counts-behind-lock", parts => parts with { Userfaultfd = kernel => new CountsBehindLock(kernel) }),
        new Invented("mprotect-ignores-uffd-wp", parts => parts with { Mprotect = kernel => new WritableThoughMarked(kernel) }),
    ];

    /// <summary>wp_page_copy() as it once was: the new entry is set, then the old one is flushed. Or with a notifier that ends first.</summary>
    private sealed class CopiesOnWrite(KernelModel kernel, bool flushesLast) : CopyOnWrite(kernel)
    {
        private readonly bool _flushesLast = flushesLast;

        public override async Proc WpPageCopy(Cpu cpu, Mm mm, int page, Pte entry)
        {
            FrameSet original = FrameSet.Of(entry.Frame);
            int copy = await Kernel.PageFault.AllocFrame(cpu, page);
            await cpu.CopyFrame(entry.Frame, copy, "wp_page_copy_user");
            await MmuNotifierInvalidateRangeStart(cpu, mm, page);
            if (!_flushesLast)
            {
                await MmuNotifierInvalidateRangeEnd(cpu, mm, page);
            }

            PageTable again = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
            bool copied = await cpu.EntryRead(again, page) == entry;
            if (copied)
            {
                await Replace(cpu, mm, again, page, copy);
                await Kernel.Rmap.FolioRemoveRmapPte(cpu, entry.Frame);
            }

            await Kernel.PageWalk.PteUnmapUnlock(cpu, again);
            if (_flushesLast)
            {
                await MmuNotifierInvalidateRangeEnd(cpu, mm, page);
            }

            await cpu.PutFrames(copied ? original : FrameSet.Of(copy), "folio_put");
            await cpu.PutFrames(original, "folio_put");
        }

        private async Proc Replace(Cpu cpu, Mm mm, PageTable table, int page, int copy)
        {
            if (!_flushesLast)
            {
                await Kernel.PteOps.PtepClearFlush(cpu, mm, table, page);
            }

            await Kernel.PageFault.FolioAddNewAnonRmap(cpu, copy);
            await Kernel.PteOps.SetPteAtNotify(cpu, mm, table, page, Kernel.PteOps.PteMkdirty(Pte.Leaf(copy, true)));
            if (_flushesLast)
            {
                await Kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
            }
        }
    }

    private sealed class CopiesLate(KernelModel kernel) : Migrate(kernel)
    {
        public override async Proc<bool> MoveToNewFolio(Cpu cpu, int frame, int target)
        {
            if (await cpu.Load(Kernel.Folios[frame].Frame.RefCount) != 1)
            {
                return false;
            }

            await RemoveMigrationPtes(cpu, frame, target);
            await cpu.CopyFrame(frame, target, "folio_mc_copy");
            return true;
        }
    }

    private sealed class DropsDirty(KernelModel kernel) : Reclaim(kernel)
    {
        public override async Proc<ulong> TryToUnmapOne(Cpu cpu, Mm mm, PageTable table, int page, int frame, bool batch)
        {
            if (mm.FileAreaOf(page) is null)
            {
                return await base.TryToUnmapOne(cpu, mm, table, page, frame, batch);
            }

            await Kernel.PteOps.PtepClearFlush(cpu, mm, table, page);
            await Kernel.Rmap.FolioRemoveRmapPte(cpu, frame);
            await cpu.AddReturn(Kernel.Folios[frame].Frame.RefCount, -1);
            return Unmapped;
        }
    }

    /// <summary>folio_clear_dirty_for_io() that cleans the entries and forgets that they were dirty.</summary>
    private sealed class IgnoresEntries(KernelModel kernel) : Writeback(kernel)
    {
        public override async Proc<bool> FolioClearDirtyForIo(Cpu cpu, int frame)
        {
            await FolioMkclean(cpu, frame);
            return await Kernel.Filemap.FolioTestClearDirty(cpu, frame);
        }
    }

    private sealed class WakesFirst(KernelModel kernel) : Userfaultfd(kernel)
    {
        public override async Proc WriteUnprotect(Cpu cpu, Mm mm, int first, int count)
        {
            await cpu.AddReturn(mm.UserfaultWakeups, 1);
            await MwriteprotectRange(cpu, mm, first, count, false);
        }
    }

    private sealed class CountsBehindLock(KernelModel kernel) : Userfaultfd(kernel)
    {
        public override async Proc HandleUserfault(Cpu cpu, Mm mm, PageTable table)
        {
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            ulong seen = await cpu.Load(mm.UserfaultWakeups);
            await cpu.WaitEvent(mm.UserfaultWakeups, Condition.NotEqual, seen);
        }
    }

    private sealed class WritableThoughMarked(KernelModel kernel) : Mprotect(kernel)
    {
        public override async Proc<bool> CanChangePteWritable(Cpu cpu, Pte value) => await base.CanChangePteWritable(cpu, value.Without(Pte.UserfaultWpBit));
    }
}
