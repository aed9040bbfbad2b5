using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <content>Mistakes in functions that few operations come to: pins, bits of entries, huge entries, kernel threads, private files.</content>
internal static partial class InventedBugs
{
    private static IReadOnlyList<KernelPatch> Rare =>
    [
        new Invented("pins-shared-for-reading", parts => parts with { AnonExclusive = kernel => new NeverUnshares(kernel) }),
        new Invented("pins-through-read-only", parts => parts with { GupSlow = kernel => new FollowsAnyEntry(kernel) }),
        new Invented("pins-behind-lock", parts => parts with { GupSlow = kernel => new PinsLate(kernel) }),
        new Invented("young-cleared-by-store", parts => parts with { ClearRefs = kernel => new StoresOldEntry(kernel, locks: true) }),
        new Invented("young-cleared-without-lock", parts => parts with { ClearRefs = kernel => new StoresOldEntry(kernel, locks: false) }),
        new Invented("cold-cleared-by-store", parts => parts with { Madvise = kernel => new ColdStoresOldEntry(kernel) }),
        new Invented("modify-start-only-reads", parts => parts with { PteOps = kernel => new ReadsForModify(kernel) }),
        new Invented("zap-keeps-migration-entry", parts => parts with { Zap = kernel => new SkipsEntries(kernel, migration: true) }),
        new Invented("zap-keeps-hint", parts => parts with { Zap = kernel => new SkipsEntries(kernel, migration: false) }),
        new Invented("huge-change-not-recorded", parts => parts with { HugeMemory = kernel => new ChangesHuge(kernel, records: false) }),
        new Invented("huge-change-looks-empty", parts => parts with { HugeMemory = kernel => new ChangesHuge(kernel, records: true) }),
        new Invented("huge-reused-while-shared", parts => parts with { HugeMemory = kernel => new AlwaysReuses(kernel) }),
        new Invented("kthread-mask-behind-root", parts => parts with { SwitchMm = kernel => new MaskBehindRoot(kernel) }),
        new Invented("kthread-leaves-mask", parts => parts with { SwitchMm = kernel => new UnuseLeavesMask(kernel) }),
        new Invented("idle-leaves-mask-first", parts => parts with { SwitchMm = kernel => new IdleLeavesMaskFirst(kernel) }),
        new Invented("empty-table-freed-at-once", parts => parts with { PtReclaim = kernel => new FreesEmptyTableAtOnce(kernel) }),
        new Invented("empty-table-not-locked", parts => parts with { PtReclaim = kernel => new LooksWithoutLock(kernel) }),
        new Invented("table-installed-without-lock", parts => parts with { PageWalk = kernel => new InstallsBlindly(kernel) }),
        new Invented("table-not-looked-at-again", parts => parts with { PageWalk = kernel => new LocksWithoutLook(kernel) }),
        new Invented("cow-fault-maps-cached-page", parts => parts with { FileFault = kernel => new MapsCachedPage(kernel) }),
        new Invented("cow-fault-overwrites", parts => parts with { FileFault = kernel => new OverwritesEntry(kernel) }),
        new Invented("cow-fault-copies-behind-put", parts => parts with { FileFault = kernel => new CopiesBehindPut(kernel) }),
        new Invented("move-pages-isolates-late", parts => parts with { MovePages = kernel => new IsolatesLate(kernel) }),
        new Invented("move-pages-flushes-last", parts => parts with { Migrate = kernel => new FlushesLast(kernel) }),
        new Invented("madvise-collapse-unlocked", parts => parts with { Madvise = kernel => new CollapsesUnlocked(kernel) }),
    ];

    private sealed class InstallsBlindly(KernelModel kernel) : PageWalk(kernel)
    {
        public override async Proc<Pte> PmdInstall(Cpu cpu, Mm mm, PageTable table, int page)
        {
            int made = await cpu.AllocTable(mm.Space, table.Level - 1, page);
            await cpu.EntryStore(table, page, Pte.Table(made), "pmd_populate");
            return Pte.Table(made);
        }
    }

    private sealed class LocksWithoutLook(KernelModel kernel) : PageWalk(kernel)
    {
        public override async Proc<PageTable> PteOffsetMapLock(Cpu cpu, Mm mm, int page)
        {
            if (Machine.Options.GracePeriods)
            {
                await cpu.RcuReadLock();
            }

            PageTable table = await TableAt(cpu, mm, page, 0);
            if (table.Index < 0)
            {
                if (Machine.Options.GracePeriods)
                {
                    await cpu.RcuReadUnlock();
                }

                return await base.PteOffsetMapLock(cpu, mm, page);
            }

            await cpu.SpinLock(Machine.Paging.LockOf(table.Index));
            return table;
        }
    }

    private sealed class CopiesBehindPut(KernelModel kernel) : FileFault(kernel)
    {
        public override async Proc<bool> DoCowFault(Cpu cpu, FileArea area, int page)
        {
            int copy = await Kernel.PageFault.AllocFrame(cpu, page);
            int frame = await Kernel.Filemap.FilemapFault(cpu, area.File, area.IndexOf(page), page);
            if (frame < 0)
            {
                await Kernel.Filemap.FolioPut(cpu, copy);
                return false;
            }

            await Kernel.Filemap.FolioUnlock(cpu, frame);
            await Kernel.Filemap.FolioPut(cpu, frame);
            await cpu.CopyFrame(frame, copy, "copy_mc_user_highpage");
            await cpu.Store(Kernel.Folios[copy].AnonExclusive, 1);
            if (!await FinishFault(cpu, area, page, Pte.Leaf(copy, write: true, dirty: true)))
            {
                await Kernel.Filemap.FolioPut(cpu, copy);
            }

            return true;
        }
    }

    private sealed class NeverUnshares(KernelModel kernel) : AnonExclusive(kernel)
    {
        public override async Proc<bool> GupMustUnshare(GupCall call, int frame) => false;
    }

    private sealed class FollowsAnyEntry(KernelModel kernel) : GupSlow(kernel)
    {
        public override async Proc<bool> CanFollowWritePte(GupCall call, Pte pte) => true;
    }

    private sealed class PinsLate(KernelModel kernel) : GupSlow(kernel)
    {
        public override async Proc<int> FollowPagePte(GupCall call, GupFlags flags)
        {
            PageTable table = await Kernel.PageWalk.PteOffsetMapLock(call.Cpu, call.Mm, call.Page);
            if (table.Index < 0)
            {
                return -1;
            }

            Pte pte = await call.Cpu.EntryRead(table, call.Page);
            await Kernel.PageWalk.PteUnmapUnlock(call.Cpu, table);
            bool follows = pte.Present && (pte.Write || (flags & GupFlags.Write) == 0) && await Kernel.Gup.TryGrabFolioFast(call, pte.Frame);
            return follows ? pte.Frame : -1;
        }
    }

    /// <summary>Bits that hardware sets between the read and the store are lost.</summary>
    private sealed class StoresOldEntry(KernelModel kernel, bool locks) : ClearRefs(kernel)
    {
        private readonly bool _locks = locks;

        public override async Proc ClearRefsYoung(Cpu cpu, Mm mm, int first, int count)
        {
            for (int page = first; page < first + count; page++)
            {
                PageTable table = _locks
                    ? await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page) : await Kernel.PageWalk.TableAt(cpu, mm, page, 0);
                if (table.Index < 0)
                {
                    continue;
                }

                Pte entry = await cpu.EntryRead(table, page);
                if (entry.MapsFrame)
                {
                    await Kernel.PteOps.SetPteAt(cpu, table, page, entry.Without(Pte.AccessedBit));
                }

                if (_locks)
                {
                    await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
                }
            }
        }
    }

    private sealed class ColdStoresOldEntry(KernelModel kernel) : Madvise(kernel)
    {
        protected override async Proc ClearYoungDirtyPte(TlbGather tlb, PageTable table, int page, Pte entry, ulong bits)
        {
            if ((entry.Bits & bits) != 0)
            {
                await Kernel.PteOps.SetPteAt(tlb.Cpu, table, page, entry.Without(bits));
                await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 0);
            }
        }
    }

    private sealed class ReadsForModify(KernelModel kernel) : PteOps(kernel)
    {
        public override async Proc<Pte> PtepModifyProtStart(Cpu cpu, PageTable table, int page) => await cpu.EntryRead(table, page);
    }

    /// <summary>Nothing is mapped there that hardware could use.</summary>
    private sealed class SkipsEntries(KernelModel kernel, bool migration) : Zap(kernel)
    {
        private readonly bool _migration = migration;

        protected override async Proc<ZapResult> ZapOnePte(TlbGather tlb, PageTable table, int page)
        {
            Pte entry = await tlb.Cpu.EntryRead(table, page);
            return (_migration ? entry.IsMigration : entry.ProtNone) ? ZapResult.None : await base.ZapOnePte(tlb, table, page);
        }
    }

    /// <summary>Without the flush, or (before ced108037c2a) with an entry that is none for a moment.</summary>
    private sealed class ChangesHuge(KernelModel kernel, bool records) : HugeMemory(kernel)
    {
        private readonly bool _records = records;

        public override async Proc<bool> ChangeHugePmd(TlbGather tlb, PageTable pmd, int page, ProtectionChange change)
        {
            Pte entry = await PmdTransHugeLock(tlb.Cpu, pmd, page);
            if (!entry.Huge)
            {
                return false;
            }

            Pte old = _records
                ? await tlb.Cpu.EntryExchange(pmd, page, Pte.None, "pmdp_huge_get_and_clear")
                : await PmdpInvalidateAd(tlb.Cpu, pmd, page, entry);
            await tlb.Cpu.EntryStore(pmd, page, Kernel.Mprotect.PteModify(old, change), "set_pmd_at");
            if (_records)
            {
                await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 1);
            }

            await tlb.Cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
            return true;
        }
    }

    private sealed class AlwaysReuses(KernelModel kernel) : HugeMemory(kernel)
    {
        protected override async Proc<bool> CanReuseHugePage(Cpu cpu, int frame) => true;
    }

    private sealed class MaskBehindRoot(KernelModel kernel) : SwitchMm(kernel)
    {
        public override async Proc KthreadUseMm(Cpu cpu, Mm mm)
        {
            await cpu.InterruptsOff();
            await LoadNewMmCr3(cpu, mm, 0, await cpu.Load(mm.TlbGen), true);
            await cpu.Store(Kernel.TlbStates[cpu.Index].LoadedMm, mm.LoadedValue);
            await cpu.FetchOr(mm.CpuMask, CpuSet.Of(cpu));
            await cpu.InterruptsOn();
        }
    }

    private sealed class UnuseLeavesMask(KernelModel kernel) : SwitchMm(kernel)
    {
        public override async Proc KthreadUnuseMm(Cpu cpu)
        {
            await NoTarget(cpu, Kernel.Mms[0]);
            await base.KthreadUnuseMm(cpu);
        }
    }

    private sealed class IdleLeavesMaskFirst(KernelModel kernel) : SwitchMm(kernel)
    {
        public override async Proc LeaveMm(Cpu cpu)
        {
            await NoTarget(cpu, Kernel.Mms[0]);
            await base.LeaveMm(cpu);
        }
    }

    private sealed class FreesEmptyTableAtOnce(KernelModel kernel) : PtReclaim(kernel)
    {
        public override async Proc FreePte(TlbGather tlb, int page, int table) => await tlb.Cpu.FreeTable(table);
    }

    private sealed class LooksWithoutLock(KernelModel kernel) : PtReclaim(kernel)
    {
        public override async Proc TryToFreePte(TlbGather tlb, int page)
        {
            PageTable above = await Kernel.PageWalk.TableAt(tlb.Cpu, tlb.Mm, page, 1);
            await tlb.Cpu.SpinLock(Machine.Paging.LockOf(above.Index));
            Pte entry = await tlb.Cpu.EntryRead(above, page, "pmdp_get");
            bool empty = entry.Present && await IsEmpty(tlb.Cpu, new PageTable(entry.Frame, 0, page));
            int unhooked = empty ? await GetAndClearPmd(tlb.Cpu, above, page) : -1;
            await tlb.Cpu.SpinUnlock(Machine.Paging.LockOf(above.Index));
            if (unhooked >= 0)
            {
                await FreePte(tlb, page, unhooked);
            }
        }
    }

    private sealed class MapsCachedPage(KernelModel kernel) : FileFault(kernel)
    {
        public override async Proc<bool> DoCowFault(Cpu cpu, FileArea area, int page)
        {
            int frame = await Kernel.Filemap.FilemapFault(cpu, area.File, area.IndexOf(page), page);
            if (frame < 0)
            {
                return false;
            }

            bool mapped = await FinishFault(cpu, area, page, Pte.Leaf(frame, write: true, dirty: true));
            await Kernel.Filemap.FolioUnlock(cpu, frame);
            if (!mapped)
            {
                await Kernel.Filemap.FolioPut(cpu, frame);
            }

            return true;
        }
    }

    private sealed class OverwritesEntry(KernelModel kernel) : FileFault(kernel)
    {
        public override async Proc<bool> FinishFault(Cpu cpu, FileArea area, int page, Pte value)
        {
            PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, area.Mm, page);
            if (table.Index < 0)
            {
                return false;
            }

            await Kernel.Rmap.FolioAddRmapPte(cpu, value.Frame);
            await Kernel.PteOps.SetPteAt(cpu, table, page, value);
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            return true;
        }
    }

    /// <summary>Behind the table's lock the page may be somebody else's, or nobody's.</summary>
    private sealed class IsolatesLate(KernelModel kernel) : MovePages(kernel)
    {
        public override async Proc<int> AddFolioForMigration(Cpu cpu, Mm mm, int page, int node)
        {
            PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
            if (table.Index < 0)
            {
                return -1;
            }

            Pte entry = await cpu.EntryRead(table, page);
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            if (!entry.MapsFrame)
            {
                return -1;
            }

            await cpu.AddReturn(Kernel.Folios[entry.Frame].Frame.RefCount, 1);
            return entry.Frame;
        }
    }

    private sealed class FlushesLast(KernelModel kernel) : Migrate(kernel)
    {
        public override async Proc MigratePagesBatch(Cpu cpu, FrameSet frames)
        {
            for (FrameSet rest = frames; !rest.IsEmpty; rest = rest.WithoutFirst)
            {
                int target = await cpu.AllocFrame(rest.First % Machine.Options.FrameColours);
                await Kernel.Filemap.FolioLock(cpu, rest.First);
                await Kernel.Filemap.FolioLock(cpu, target);
                await TryToMigrate(cpu, rest.First, true);
                await MigrateFolioMove(cpu, rest.First, target);
            }

            await Kernel.TlbBatch.TryToUnmapFlush(cpu);
        }
    }

    private sealed class CollapsesUnlocked(KernelModel kernel) : Madvise(kernel)
    {
        public override async Proc<bool> MadviseCollapse(Cpu cpu, Mm mm, int first, int count)
        {
            await Kernel.PmdCollapse.CollapsePteMappedThp(cpu, mm, first);
            return true;
        }
    }
}
