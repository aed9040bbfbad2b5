using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <content>Page tables that are freed while somebody is on his way to their locks.</content>
internal static partial class InventedBugs
{
    private static IReadOnlyList<KernelPatch> Tables =>
    [
        new Invented("tables-freed-without-grace-period", parts => parts with { PageTableFree = kernel => new FreesTablesAtOnce(kernel) }),
        new Invented("tables-freed-before-unlinked", parts => parts with { Rmap = kernel => new NeverUnlinks(kernel) }),
        new Invented("table-walk-outside-rcu", parts => parts with { PageWalk = kernel => new WalksOutsideRcu(kernel) }),
        new Invented("area-looked-up-without-lock", parts => parts with { Madvise = kernel => new LooksUpUnlocked(kernel) }),
        new Invented("area-not-looked-up", parts => parts with { NumaHinting = kernel => new LooksUpNothing(kernel) }),
    ];

    private sealed class FreesTablesAtOnce(KernelModel kernel) : PageTableFree(kernel)
    {
        public override async Proc TlbTableFree(Cpu cpu, ulong tables) => await FreeTables(cpu, tables);
    }

    private sealed class NeverUnlinks(KernelModel kernel) : Rmap(kernel)
    {
        public override async Proc UnlinkAnonVmas(Cpu cpu, Mm mm, int first, int count)
        {
        }
    }

    /// <summary>As before 6.5: whoever frees a table had to keep walks away himself.</summary>
    private sealed class WalksOutsideRcu(KernelModel kernel) : PageWalk(kernel)
    {
        public override async Proc<PageTable> PteOffsetMapLock(Cpu cpu, Mm mm, int page)
        {
            PageTable table = await TableAt(cpu, mm, page, 0);
            while (table.Index >= 0)
            {
                await cpu.SpinLock(Machine.Paging.LockOf(table.Index));
                PageTable again = await TableAt(cpu, mm, page, 0);
                if (again == table)
                {
                    return table;
                }

                await cpu.SpinUnlock(Machine.Paging.LockOf(table.Index));
                table = again;
            }

            return table;
        }

        public override async Proc PteUnmapUnlock(Cpu cpu, PageTable table) => await cpu.SpinUnlock(Machine.Paging.LockOf(table.Index));
    }

    private sealed class LooksUpUnlocked(KernelModel kernel) : Madvise(kernel)
    {
        protected override async Proc MadviseColdOrPageout(Cpu cpu, Mm mm, int first, int count, MadviseWalk walk)
        {
            if (!(await Kernel.MmapLock.FindVma(cpu, mm)).Covers(first, count))
            {
                return;
            }

            await Kernel.MmapLock.MmapReadLock(cpu, mm);
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            await WalkPageRange(tlb, first, count, walk);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
            await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        }
    }

    private sealed class LooksUpNothing(KernelModel kernel) : NumaHinting(kernel)
    {
        public override async Proc ChangeProtNuma(Cpu cpu, Mm mm, int first, int count)
        {
            await Kernel.MmapLock.MmapReadLock(cpu, mm);
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            await Kernel.Mprotect.ChangeProtection(tlb, first, count, ProtectionChange.NumaHint);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
            await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        }
    }
}
