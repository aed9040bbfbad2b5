using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// As <see cref="InventedBugs"/>: mistakes with huge pages of files. Those whose id ends in <c>-as-linux</c> are what Linux does (read
/// in 6.1): docs/hugefiles.md says where that matters.
/// </summary>
internal static class HugeFileBugs
{
    public static IReadOnlyList<KernelPatch> All { get; } =
    [
        // Entries that map a huge folio.
        new Invented("split-without-flush", parts => parts with { HugeMemory = kernel => new SplitsWithoutFlush(kernel) }),
        new Invented("split-drops-dirty", parts => parts with { HugeMemory = kernel => new SplitDropsDirty(kernel) }),
        new Invented("zap-drops-dirty", parts => parts with { HugeMemory = kernel => new ZapDropsDirty(kernel) }),
        new Invented("zap-flushes-late-as-linux", parts => parts with { HugeMemory = kernel => new ZapFlushesLate(kernel) }),
        new Invented("no-wait-for-split-as-linux", parts => parts with { HugeMemory = kernel => new NoWaitForSplit(kernel) }),
        new Invented("mkclean-leaves-writable", parts => parts with { HugeMemory = kernel => new LeavesWritable(kernel) }),
        new Invented("mkclean-without-flush", parts => parts with { HugeMemory = kernel => new CleansWithoutFlush(kernel) }),
        new Invented("set-pmd-without-references", parts => parts with { HugeMemory = kernel => new SetsPmdWithoutReferences(kernel) }),
        new Invented("set-pmd-over-table", parts => parts with { HugeMemory = kernel => new SetsPmdOverTable(kernel) }),
        new Invented("split-folio-ignores-references", parts => parts with { CompoundFolios = kernel => new FreezesAnyway(kernel) }),

        // khugepaged.
        new Invented("retract-without-flush", parts => parts with { KhugepagedFile = kernel => new RetractsWithoutFlush(kernel) }),
        new Invented("retract-waits-for-mmap-lock", parts => parts with { KhugepagedFile = kernel => new WaitsForMmapLock(kernel) }),
        new Invented("retract-without-mmap-lock", parts => parts with { KhugepagedFile = kernel => new TakesNoMmapLock(kernel, false) }),
        new Invented("retract-without-notifier", parts => parts with { KhugepagedFile = kernel => new RetractsSilently(kernel) }),
        new Invented("retract-frees-at-once", parts => parts with { KhugepagedFile = kernel => new FreesAtOnce(kernel) }),
        new Invented("retract-unlocked-frees-at-once", parts => parts with { KhugepagedFile = kernel => new TakesNoMmapLock(kernel, true) }),
        new Invented("collapse-freezes-nothing", parts => parts with { KhugepagedFile = kernel => new FreezesNothing(kernel) }),
        new Invented("collapse-copies-before-flush", parts => parts with { KhugepagedFile = kernel => new CopiesBeforeFlush(kernel) }),
        new Invented("collapse-drops-dirty", parts => parts with { KhugepagedFile = kernel => new CollapseDropsDirty(kernel) }),
        new Invented("collapse-unlocks-before-flush-as-linux", parts => parts with { KhugepagedFile = kernel => new UnlocksBeforeFlush(kernel) }),
    ];

    private sealed class Invented(string id, Func<KernelParts, KernelParts> apply) : KernelPatch
    {
        public override string Id => id;

        public override KernelParts Apply(KernelParts parts) => apply(parts);
    }

    private sealed class SplitsWithoutFlush(KernelModel kernel) : HugeMemory(kernel)
    {
        public override async Proc<Pte> PmdpHugeClearFlush(Cpu cpu, Mm mm, PageTable pmd, int page)
            => await cpu.EntryExchange(pmd, page, Pte.None, "pmdp_huge_get_and_clear");
    }

    private sealed class SplitDropsDirty(KernelModel kernel) : HugeMemory(kernel)
    {
        public override async Proc<Pte> PmdpHugeClearFlush(Cpu cpu, Mm mm, PageTable pmd, int page)
            => (await base.PmdpHugeClearFlush(cpu, mm, pmd, page)).Without(Pte.DirtyBit);
    }

    private sealed class ZapDropsDirty(KernelModel kernel) : HugeMemory(kernel)
    {
        protected override Proc ZapFileHugePmd(TlbGather tlb, Pte old) => base.ZapFileHugePmd(tlb, old.Without(Pte.DirtyBit));
    }

    private sealed class ZapFlushesLate(KernelModel kernel) : HugeMemory(kernel)
    {
        protected override bool FlushesDirtyHugePage => false;
    }

    private sealed class NoWaitForSplit(KernelModel kernel) : HugeMemory(kernel)
    {
        protected override async Proc<bool> WaitForSplit(Cpu cpu, Mm mm, PageTable pmd, int page) => true;
    }

    private sealed class LeavesWritable(KernelModel kernel) : HugeMemory(kernel)
    {
        public override async Proc<bool> PageMkcleanPmd(Cpu cpu, Mm mm, PageTable pmd, int page, Pte entry)
        {
            if (!entry.Dirty)
            {
                return false;
            }

            Pte old = await PmdpInvalidate(cpu, mm, pmd, page, entry);
            await cpu.EntryStore(pmd, page, old.Without(Pte.DirtyBit), "set_pmd_at");
            return true;
        }
    }

    private sealed class CleansWithoutFlush(KernelModel kernel) : HugeMemory(kernel)
    {
        public override async Proc<bool> PageMkcleanPmd(Cpu cpu, Mm mm, PageTable pmd, int page, Pte entry)
        {
            Pte old = await PmdpInvalidateAd(cpu, pmd, page, entry);
            await cpu.EntryStore(pmd, page, old.Without(Pte.WriteBit | Pte.DirtyBit), "set_pmd_at");
            return old.Dirty || old.Write;
        }
    }

    /// <summary>The fault's own reference is the entry's, as that of a small page is.</summary>
    private sealed class SetsPmdWithoutReferences(KernelModel kernel) : HugeMemory(kernel)
    {
        public override async Proc<bool> DoSetPmd(Cpu cpu, FileArea area, int page, int folio, bool write)
        {
            bool mapped = await base.DoSetPmd(cpu, area, page, folio, write);
            for (int i = 0; mapped && i < Span; i++)
            {
                await cpu.AddReturn(Kernel.Folios[folio + i].Frame.RefCount, -1);
            }

            return mapped;
        }
    }

    private sealed class SetsPmdOverTable(KernelModel kernel) : HugeMemory(kernel)
    {
        public override async Proc<bool> PmdNone(Cpu cpu, Mm mm, int page) => true;

        protected override async Proc<bool> IsPmdNone(Cpu cpu, PageTable pmd, int page) => true;
    }

    private sealed class FreezesAnyway(KernelModel kernel) : CompoundFolios(kernel)
    {
        public override async Proc<bool> FolioRefFreeze(Cpu cpu, int folio)
        {
            for (int i = 0; i < Span; i++)
            {
                await cpu.Exchange(Kernel.Folios[folio + i].Frame.RefCount, 0);
            }

            return true;
        }
    }

    private sealed class RetractsWithoutFlush(KernelModel kernel) : KhugepagedFile(kernel)
    {
        protected override async Proc<Pte> PmdpCollapseFlush(Cpu cpu, Mm mm, PageTable pmd, int address)
            => await cpu.EntryExchange(pmd, address, Pte.None, "pmdp_huge_get_and_clear");
    }

    private sealed class WaitsForMmapLock(KernelModel kernel) : KhugepagedFile(kernel)
    {
        protected override async Proc<bool> MmapWriteTrylock(Cpu cpu, Mm mm)
        {
            await Kernel.MmapLock.MmapWriteLock(cpu, mm);
            return true;
        }
    }

    /// <summary>As in 6.6 and later; or with the table freed as it was before.</summary>
    private sealed class TakesNoMmapLock(KernelModel kernel, bool atOnce) : KhugepagedFile(kernel)
    {
        private readonly bool _atOnce = atOnce;

        public override async Proc RetractPageTables(Cpu cpu, FileMapping file, int start)
        {
            await file.MmapRwsem.LockWrite(cpu);
            ulong linked = await cpu.Load(file.Mmap);
            for (int i = 0; i < file.Areas.Count; i++)
            {
                if ((linked & file.Areas[i].Bit) != 0)
                {
                    await RetractPageTable(cpu, file.Areas[i], file.Areas[i].PageOf(start));
                }
            }

            await file.MmapRwsem.UnlockWrite(cpu);
        }

        protected override async Proc PteFreeDefer(Cpu cpu, int table)
        {
            if (_atOnce)
            {
                await cpu.FreeTable(table, "pte_free");
            }
            else
            {
                await base.PteFreeDefer(cpu, table);
            }
        }
    }

    private sealed class RetractsSilently(KernelModel kernel) : KhugepagedFile(kernel)
    {
        protected override async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int address)
        {
        }

        protected override async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int address)
        {
        }
    }

    private sealed class FreesAtOnce(KernelModel kernel) : KhugepagedFile(kernel)
    {
        protected override async Proc PteFreeDefer(Cpu cpu, int table) => await cpu.FreeTable(table, "pte_free");
    }

    private sealed class FreezesNothing(KernelModel kernel) : KhugepagedFile(kernel)
    {
        protected override async Proc<bool> PageRefFreeze(Cpu cpu, int frame)
        {
            await cpu.Exchange(Kernel.Folios[frame].Frame.RefCount, 0);
            return true;
        }
    }

    private sealed class CopiesBeforeFlush(KernelModel kernel) : KhugepagedFile(kernel)
    {
        protected override async Proc TryToUnmapFlush(Cpu cpu)
        {
        }

        protected override async Proc SetPageDirty(Cpu cpu, int huge)
        {
            await base.SetPageDirty(cpu, huge);
            await base.TryToUnmapFlush(cpu);
        }
    }

    private sealed class CollapseDropsDirty(KernelModel kernel) : KhugepagedFile(kernel)
    {
        protected override async Proc SetPageDirty(Cpu cpu, int huge)
        {
        }
    }

    private sealed class UnlocksBeforeFlush(KernelModel kernel) : KhugepagedFile(kernel)
    {
        protected override async Proc FlushBeforeUnlock(Cpu cpu)
        {
        }
    }
}
