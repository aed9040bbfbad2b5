using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// Huge pages of files: entries that map a huge folio, and khugepaged, which makes one. The matrix shows mistakes in them, three of which Linux makes.
/// </summary>
public sealed class HugeFileBugTests
{
    private static readonly CheckOptions Options = new() { Workers = 1, Time = TimeSpan.FromSeconds(60), MinimiserStatesMax = 1 };

    /// <summary>The bug, two operations, the machine and the property that shows it.</summary>
    public static TheoryData<string, string, string, string, string> Found => new()
    {
        { "split-drops-dirty", "munmap", "reclaim", "same-hugefile-dirtying", "P-write" },
        { "split-without-flush", "gup-fast", "reclaim", "same-hugefile-busy", "P-life" },
        { "split-without-flush", "munmap", "munmap", "overlapping-hugefile-busy", "P-ret" },
        { "zap-drops-dirty", "munmap", "writeback", "same-hugefile-busy", "P-write" },
        { "zap-flushes-late-as-linux", "munmap", "writeback", "same-hugefile-busy", "P-write" },
        { "zap-flushes-late-as-linux", "madvise-dontneed", "reclaim", "same-hugefile-busy", "P-write" },
        { "no-wait-for-split-as-linux", "mprotect-ro", "reclaim", "same-hugefile-busy", "P-ret" },
        { "mkclean-leaves-writable", "munmap", "writeback", "same-hugefile-busy", "P-write" },
        { "mkclean-leaves-writable", "writeback", "writeback", "same-hugefile-guest", "P-write" },
        { "mkclean-without-flush", "user-store", "writeback", "same-hugefile-busy", "P-write" },
        { "set-pmd-without-references", "truncate", "user-load", "same-hugefile-busy", "P-life" },
        { "split-folio-ignores-references", "munmap", "truncate", "overlapping-hugefile-busy", "P-life" },
        { "retract-without-flush", "collapse-file", "user-load", "same-file-busy", "P-life" },
        { "retract-unlocked-frees-at-once", "collapse-file", "user-load", "same-file-busy", "P-life" },
        { "retract-unlocked-frees-at-once", "collapse-file", "collapse-file", "same-file-guest", "P-life" },
        { "retract-waits-for-mmap-lock", "collapse-file", "user-store", "same-file-busy", "deadlock" },
        { "collapse-freezes-nothing", "collapse-file", "gup-fast", "same-file-busy", "P-life" },
        { "collapse-copies-before-flush", "collapse-file", "mprotect-ro", "same-file-busy", "P-life" },
        { "collapse-drops-dirty", "collapse-file", "writeback", "same-file-busy", "P-write" },
        { "set-pmd-over-table", "collapse-file", "user-load", "same-file-busy", "P-left" },
        { "collapse-unlocks-before-flush-as-linux", "collapse-file", "reclaim", "same-file-busy", "P-life" },
        { "collapse-unlocks-before-flush-as-linux", "collapse-file", "writeback", "same-file-busy", "P-write" },
    };

    /// <summary>
    /// What no machine shows. No mmap_lock: since 6.5 there is none, walkers
    /// look again under the table's lock, and the table with its lock is freed behind a grace period. No notifier around the removal of the table: the small
    /// pages were unmapped with one, the folio's lock keeps them away, and the flush itself tells IOMMUs since 6.6 (before: B45). No grace
    /// period: the locks keep all walkers away but those with interrupts off, and these the IPI of the flush waits for (see below).
    /// </summary>
    public static TheoryData<string> Missed =>
        ["retract-without-mmap-lock", "retract-without-notifier", "retract-frees-at-once"];

    [Theory]
    [MemberData(nameof(Found))]
    public void A_mistake_is_found(string bug, string first, string second, string machine, string property)
    {
        PairCell cell = BugMachines.Of(first, second).First(one => one.Machine == machine);
        BugMachines.IsFound(cell, SetupOf(bug), property, Options);
    }

    [Theory]
    [MemberData(nameof(Missed))]
    public void What_is_missed_is_known(string bug)
        => Assert.Empty(PairRun.Run(NewCells(), SetupOf(bug), Options with { Workers = 2 })
            .Where(result => result.Report.Verdict != Verdict.Pass).Select(result => result.Cell.Name));

    [Fact]
    public void Every_mistake_is_in_a_table()
        => Assert.Equal(
            HugeFileBugs.All.Select(bug => bug.Id).Order(),
            Found.Select(row => row.Data.Item1).Distinct().Concat(Missed.Select(row => row.Data)).Order());

    /// <summary>Where a flush interrupts nobody (arm64, INVLPGB), only the grace period waits for GUP-fast.</summary>
    [Fact]
    public void A_table_is_freed_under_gup_fast_if_the_flush_is_no_interrupt_and_nothing_else_waits()
    {
        PairCell cell = BugMachines.Of("collapse-file", "gup-fast").First(one => one.Machine == "same-file-busy");
        PairSetup broadcast = new() { Name = "broadcast", Parts = new KernelParts { TlbFlush = kernel => new Broadcasts(kernel) } };
        Assert.Equal(Verdict.Pass, PairRun.Check(cell, broadcast, Options).Verdict);
        KernelPatch bug = HugeFileBugs.All.Single(one => one.Id == "retract-frees-at-once");
        CheckReport report = PairRun.Check(cell, broadcast with { Parts = bug.Apply(broadcast.Parts) }, Options);
        Assert.Equal((Verdict.Violation, "P-life"), (report.Verdict, report.Counterexample?.PropertyId));
        Assert.Contains("after the table was freed", report.Counterexample!.Sentence, StringComparison.Ordinal);
    }

    /// <summary>The folio's flag, copies of frozen pages, and small entries of a guest for a huge one: what is read is in the footprints.</summary>
    [Theory]
    [InlineData("zap-flushes-late-as-linux", "munmap", "writeback", "same-hugefile-busy")]
    [InlineData("collapse-unlocks-before-flush-as-linux", "collapse-file", "reclaim", "same-file-busy")]
    [InlineData("collapse-drops-dirty", "collapse-file", "user-load", "same-file-busy")]
    [InlineData("mkclean-leaves-writable", "writeback", "writeback", "same-hugefile-guest")]
    public void Without_reduction_the_verdicts_are_the_same(string bug, string first, string second, string machine)
    {
        PairCell cell = BugMachines.Of(first, second).First(one => one.Machine == machine);
        BugMachines.IsSameWithoutReduction(cell, SetupOf(bug), Options);
    }

    /// <summary>Operations that work on a huge page of a file meet there on all of it; those that truncate or unmap also on its second half.</summary>
    [Fact]
    public void The_correct_core_passes_on_huge_pages_of_files()
    {
        PairCell[] cells = NewCells();
        Assert.Equal(121, cells.Length);
        Assert.Empty(PairRun.Run(cells, new PairSetup(), Options with { Workers = 2 }).Where(result => result.Report.Verdict != Verdict.Pass)
            .Select(result => $"{result.Cell.Name}: {result.Report.Verdict} {result.Report.Reason}{result.Report.Counterexample?.Sentence}"));
    }

    private static PairCell[] NewCells() => [.. PairMatrix.Pairs(OperationList.All, [])
        .Where(cell => cell.Kind == PageKind.HugeFile || cell.Operations.Any(operation => operation.Id == "collapse-file"))];

    private static PairSetup SetupOf(string bug) => BugMachines.Setup(HugeFileBugs.All, bug);

    private sealed class Broadcasts(KernelModel kernel) : TlbFlush(kernel)
    {
        public override async Proc FlushTlbMmRange(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
        {
            await cpu.FullBarrier();
            for (int page = range.Start; page < Math.Min(range.End, Machine.Paging.PageCount); page++)
            {
                await cpu.TlbiPage(0, page, lastLevel: false);
            }
        }
    }
}
