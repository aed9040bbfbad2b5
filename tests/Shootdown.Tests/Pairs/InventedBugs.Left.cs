using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <content>Work that is not done, what is left behind, and marks of written pages.</content>
internal static partial class InventedBugs
{
    private static IReadOnlyList<KernelPatch> Left =>
    [
        new Invented("fork-forgets-migrating-pages", parts => parts with { Fork = kernel => new ForgetsEntries(kernel) }),
        new Invented("fork-keeps-reference", parts => parts with { Fork = kernel => new KeepsReference(kernel) }),
        new Invented("uffd-protects-nothing", parts => parts with { Userfaultfd = kernel => new ProtectsNothing(kernel) }),
        new Invented("zap-forgets-mapcount", parts => parts with { Rmap = kernel => new ForgetsMapCount(kernel) }),
        new Invented("collapse-leaks-copied-pages", parts => parts with { Khugepaged = kernel => new LeaksCopied(kernel) }),
        new Invented("collapse-trusts-area", parts => parts with { Khugepaged = kernel => new TrustsArea(kernel) }),
        new Invented("clear-refs-counts-once", parts => parts with { ClearRefs = kernel => new CountsOnce(kernel) }),
        new Invented("migration-copies-nothing", parts => parts with { Migrate = kernel => new CopiesNothing(kernel) }),
        new Invented("fork-leaves-sequence-odd", parts => parts with { Fork = kernel => new LeavesOdd(kernel) }),
        new Invented("areas-never-change", parts => parts with { MmapLock = kernel => new KeepsAreas(kernel) }),
        new Invented("uffd-ignores-area", parts => parts with { Mprotect = kernel => new IgnoresArea(kernel) }),
        new Invented("uffd-sets-no-mark", parts => parts with { Mprotect = kernel => new SetsNoMark(kernel) }),
        new Invented("uffd-forgets-swapped-pages", parts => parts with { Mprotect = kernel => new ForgetsSwapped(kernel) }),
        new Invented("tables-never-freed", parts => parts with { PageTableFree = kernel => new FreesNoTables(kernel) }),
        new Invented("reclaimed-frames-not-freed", parts => parts with { Reclaim = kernel => new FreesNoFrames(kernel) }),
        new Invented("swap-loses-soft-dirty", parts => parts with { Reclaim = kernel => new SwapsWithoutSoftDirty(kernel) }),
        new Invented("migration-loses-soft-dirty", parts => parts with { Migrate = kernel => new LosesSoftDirty(kernel) }),
        new Invented("mprotect-ignores-soft-dirty", parts => parts with { Mprotect = kernel => new IgnoresSoftDirty(kernel) }),
        new Invented("clear-refs-leaves-write", parts => parts with { ClearRefs = kernel => new LeavesWrite(kernel) }),
    ];

    /// <summary>copy_nonpresent_pte() is forgotten: what is on its way, or in swap, is missing in the child.</summary>
    private sealed class ForgetsEntries(KernelModel kernel) : Fork(kernel)
    {
        public override async Proc CopyPte(Cpu cpu, PageTable from, PageTable to, int page)
        {
            if ((await cpu.EntryRead(from, page)).MapsFrame)
            {
                await base.CopyPte(cpu, from, to, page);
            }
        }
    }

    private sealed class KeepsReference(KernelModel kernel) : Fork(kernel)
    {
        public override async Proc CopyPte(Cpu cpu, PageTable from, PageTable to, int page)
        {
            Pte entry = await cpu.EntryRead(from, page);
            await base.CopyPte(cpu, from, to, page);
            if (entry.MapsFrame)
            {
                await cpu.AddReturn(Kernel.Folios[entry.Frame].Frame.RefCount, 1);
            }
        }
    }

    /// <summary>The flag is taken the wrong way round.</summary>
    private sealed class ProtectsNothing(KernelModel kernel) : Userfaultfd(kernel)
    {
        public override async Proc<bool> MwriteprotectRange(Cpu cpu, Mm mm, int first, int count, bool enable)
            => await base.MwriteprotectRange(cpu, mm, first, count, !enable);
    }

    private sealed class ForgetsMapCount(KernelModel kernel) : Rmap(kernel)
    {
        public override async Proc FolioRemoveRmapPte(Cpu cpu, int frame)
        {
        }
    }

    private sealed class LeaksCopied(KernelModel kernel) : Khugepaged(kernel)
    {
        public override async Proc CollapseHugePageCopy(Cpu cpu, PageTable table, int huge)
        {
            int span = Machine.Paging.SpanOf(1);
            for (int page = table.BasePage; page < table.BasePage + span; page++)
            {
                Pte entry = await cpu.EntryRead(table, page);
                if (entry.MapsFrame)
                {
                    await cpu.AddReturn(Kernel.Folios[entry.Frame].Frame.RefCount, 1);
                }
            }

            await base.CollapseHugePageCopy(cpu, table, huge);
        }
    }

    /// <summary>What was true before mmap_lock was taken is not looked at again.</summary>
    private sealed class TrustsArea(KernelModel kernel) : Khugepaged(kernel)
    {
        public override async Proc<bool> HugepageVmaRevalidate(Cpu cpu, Mm mm, int address) => true;
    }

    private sealed class CountsOnce(KernelModel kernel) : ClearRefs(kernel)
    {
        public override async Proc ClearRefsWrite(Cpu cpu, Mm mm, Promise promise)
        {
            await cpu.AddReturn(mm.TlbFlushPending, 1);
            await base.ClearRefsWrite(cpu, mm, promise);
        }
    }

    private sealed class SwapsWithoutSoftDirty(KernelModel kernel) : Reclaim(kernel)
    {
        protected override Pte SwpEntry(int page, Pte old) => base.SwpEntry(page, old).Without(Pte.SoftDirtyBit);
    }

    private sealed class LosesSoftDirty(KernelModel kernel) : Migrate(kernel)
    {
        public override async Proc<bool> SetMigrationEntry(Cpu cpu, PageTable table, int page, Pte old)
            => await base.SetMigrationEntry(cpu, table, page, old.Without(Pte.SoftDirtyBit | Pte.DirtyBit));
    }

    private sealed class IgnoresSoftDirty(KernelModel kernel) : Mprotect(kernel)
    {
        public override async Proc<bool> CanChangePteWritable(Cpu cpu, Pte value)
            => await base.CanChangePteWritable(cpu, value.With(Pte.SoftDirtyBit));
    }

    private sealed class LeavesWrite(KernelModel kernel) : ClearRefs(kernel)
    {
        public override async Proc ClearSoftDirty(Cpu cpu, PageTable table, int page)
        {
            Pte entry = await cpu.EntryRead(table, page);
            if (entry.MapsFrame)
            {
                await Kernel.PteOps.PtepModifyProtCommit(
                    cpu, table, page, (await Kernel.PteOps.PtepModifyProtStart(cpu, table, page)).Without(Pte.SoftDirtyBit));
            }
        }
    }

    private sealed class CopiesNothing(KernelModel kernel) : Migrate(kernel)
    {
        protected override async Proc FolioMcCopy(Cpu cpu, int target, int frame)
        {
        }
    }

    private sealed class LeavesOdd(KernelModel kernel) : Fork(kernel)
    {
        protected override async Proc RawWriteSeqcount(Cpu cpu, Mm mm, string function)
        {
            if (function == "raw_write_seqcount_begin")
            {
                await base.RawWriteSeqcount(cpu, mm, function);
            }
        }
    }

    private sealed class KeepsAreas(KernelModel kernel) : MmapLock(kernel)
    {
        public override async Proc StoreVmas(Cpu cpu, Mm mm, VmAreas areas)
        {
        }
    }

    /// <summary>Who lifts a protection makes writable also what mprotect has made read-only.</summary>
    private sealed class IgnoresArea(KernelModel kernel) : Mprotect(kernel)
    {
        public override async Proc<bool> WantsWriteUpgrade(TlbGather tlb, int page, ProtectionChange change)
            => change is ProtectionChange.Writable or ProtectionChange.UserfaultResolve;
    }

    private sealed class SetsNoMark(KernelModel kernel) : Mprotect(kernel)
    {
        public override Pte PteModify(Pte old, ProtectionChange change)
            => change == ProtectionChange.UserfaultProtect ? old.Without(Pte.WriteBit) : base.PteModify(old, change);
    }

    private sealed class ForgetsSwapped(KernelModel kernel) : Mprotect(kernel)
    {
        protected override async Proc ChangeSwapEntry(Cpu cpu, PageTable table, int page, Pte old, ProtectionChange change)
        {
        }
    }

    private sealed class FreesNoTables(KernelModel kernel) : PageTableFree(kernel)
    {
        public override async Proc TlbTableFree(Cpu cpu, ulong tables)
        {
        }
    }

    private sealed class FreesNoFrames(KernelModel kernel) : Reclaim(kernel)
    {
        protected override async Proc FreeUnrefFolios(Cpu cpu, FrameSet frames)
        {
        }
    }
}
