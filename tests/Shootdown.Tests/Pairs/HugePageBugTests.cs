using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// Memory that one huge entry maps: two operations meet on the whole of it, some change the entry and others split it. Mistakes in the code
/// of huge entries show on no other machine.
/// </summary>
public sealed class HugePageBugTests
{
    private static readonly CheckOptions Options = new() { Time = TimeSpan.FromMinutes(10), MinimiserStatesMax = 1 };

    /// <summary>The mistake, two operations, and the property that shows it.</summary>
    public static TheoryData<string, string, string, string> Found => new()
    {
        { "huge-entries-not-recorded", "munmap", "user-load", "P-life" },
        { "huge-entries-not-recorded", "mprotect-ro", "user-load", "P-ret" },
        { "huge-entry-not-read-again", "madvise-dontneed", "madvise-dontneed", "assert" },
        { "split-taken-for-empty", "fork", "migrate", "P-kept" },
    };

    [Theory]
    [MemberData(nameof(Found))]
    public void A_mistake_with_huge_entries_is_found(string bug, string first, string second, string property)
    {
        PairCell cell = Cell(first, second);
        CheckReport report = PairRun.Check(cell, SetupOf(bug), Options);
        Assert.Equal((Verdict.Violation, property), (report.Verdict, report.Counterexample?.PropertyId));
        Assert.Equal(Verdict.Pass, PairRun.Check(cell, new PairSetup(), Options).Verdict);
    }

    /// <summary>
    /// munmap takes the entry away while reclaim, which has found the page mapped, is about to. What reclaim then writes and frees nobody will
    /// read: a store through a stale entry is no loss. Contents that a swap entry refers to are.
    /// </summary>
    [Fact]
    public void Discarded_memory_that_reclaim_frees_is_no_lost_store()
    {
        Assert.Equal(Verdict.Pass, PairRun.Check(Cell("munmap", "reclaim"), new PairSetup(), Options).Verdict);
        CheckReport lost = PairRun.Check(Cell("reclaim", "user-store"), SetupOf("written-before-flush"), Options);
        Assert.Equal((Verdict.Violation, "P-write"), (lost.Verdict, lost.Counterexample?.PropertyId));
    }

    [Fact]
    public void Operations_on_anonymous_memory_meet_on_a_huge_page_unless_both_split_it()
    {
        // munmap with tables is munmap there, and two machines of a million states are left out.
        MmOperation[] anonymous = [.. OperationList.All
            .Where(operation => operation.WorksOn(PageKind.Anonymous) && operation.MeetsAll && operation is not MunmapTablesOperation)];
        const int TooLarge = 2;
        int once = anonymous.Count(operation => !operation.MeetsItself && !operation.SplitsHugePages);
        int split = anonymous.Count(operation => operation.SplitsHugePages);
        int pairs = (anonymous.Length * (anonymous.Length + 1) / 2) - once - (split * (split + 1) / 2);
        Assert.Equal(
            pairs - TooLarge,
            PairMatrix.Pairs(OperationList.All, []).Count(cell => cell.Kind == PageKind.Huge && cell.Bystander == Bystander.Busy && cell.Operations.All(operation => operation.MeetsAll)));
    }

    private static PairCell Cell(string first, string second)
    {
        MmOperation[] chosen = [.. new[] { first, second }.Distinct().Select(id => OperationList.All.Single(operation => operation.Id == id))];
        return PairMatrix.Pairs(OperationList.All, chosen)
            .Single(cell => cell.Machine == "same-huge-busy" && cell.Operations.All(chosen.Contains));
    }

    private static PairSetup SetupOf(string bug) => new()
    {
        Name = bug,
        Parts = bug switch
        {
            "huge-entries-not-recorded" => new KernelParts { MmuGather = kernel => new RecordsSmallEntries(kernel) },
            "huge-entry-not-read-again" => new KernelParts { HugeMemory = kernel => new TrustsFirstLook(kernel) },
            "split-taken-for-empty" => new KernelParts { PageWalk = kernel => new TakesSplitForEmpty(kernel) },
            _ => new KernelParts { TlbBatch = kernel => new NoFlushBeforeWriting(kernel), Reclaim = kernel => new AlwaysBatches(kernel) },
        },
    };

    private sealed class RecordsSmallEntries(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc TlbRemoveTlbEntry(TlbGather tlb, int page, int level)
        {
            if (level == 0)
            {
                await base.TlbRemoveTlbEntry(tlb, page, level);
            }
        }
    }

    /// <summary>Takes what the entry was without the lock for what it is.</summary>
    private sealed class TrustsFirstLook(KernelModel kernel) : HugeMemory(kernel)
    {
        protected override async Proc<Pte> PmdTransHugeLock(Cpu cpu, PageTable pmd, int page)
        {
            Pte seen = await cpu.EntryRead(pmd, page, "pmdp_get_lockless");
            await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
            if (!seen.Huge)
            {
                await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
            }

            return seen;
        }
    }

    /// <summary>A walk that met the entry while somebody was splitting it finds nothing, although there is a table by now.</summary>
    private sealed class TakesSplitForEmpty(KernelModel kernel) : PageWalk(kernel)
    {
        protected override async Proc<bool> SplitHugePmd(Cpu cpu, Mm mm, int page)
        {
            PageTable pmd = await TableAt(cpu, mm, page, 1);
            return pmd.Index >= 0 && (await cpu.EntryRead(pmd, page, "pmdp_get")).Huge && await base.SplitHugePmd(cpu, mm, page);
        }
    }

    private sealed class NoFlushBeforeWriting(KernelModel kernel) : TlbBatch(kernel)
    {
        public override async Proc TryToUnmapFlushDirty(Cpu cpu) => await cpu.FullBarrier();
    }

    private sealed class AlwaysBatches(KernelModel kernel) : Reclaim(kernel)
    {
        public override Proc ShrinkFolioList(Cpu cpu, FrameSet folios, bool batch, bool isolated = false)
            => base.ShrinkFolioList(cpu, folios, true, isolated);
    }
}
