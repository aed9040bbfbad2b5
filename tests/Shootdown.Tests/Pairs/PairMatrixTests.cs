using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;
using Shootdown.Report;

namespace Shootdown.Tests.Pairs;

/// <summary>The matrix of operations: the correct core passes, bugs are found, and shortcuts do not change a verdict.</summary>
public sealed class PairMatrixTests
{
    private static readonly CheckOptions Options = new() { Time = TimeSpan.FromMinutes(10), MinimiserStatesMax = 20_000 };

    [Fact]
    public void The_correct_core_passes_on_one_page_beside_a_busy_cpu()
    {
        PairCell[] cells = [.. PairMatrix.Pairs(OperationList.All, []).Where(cell => cell.Machine.StartsWith("same", StringComparison.Ordinal) && cell.Bystander == Bystander.Busy)];
        Assert.True(cells.Length > 300, $"{cells.Length} machines");
        IReadOnlyList<PairResult> results = PairRun.Run(cells, new PairSetup(), Options);
        Assert.Equal(cells.Length, results.Count);
        Assert.Empty(results.Where(result => result.Report.Verdict != Verdict.Pass)
            .Select(result => $"{result.Cell.Name}: {result.Report.Verdict} {result.Report.Reason}{result.Report.Counterexample?.Sentence}"));
    }

    /// <summary>Each operation alone: on one page, on two, and on two of two tables.</summary>
    [Fact]
    public void The_correct_core_passes_beside_a_guest_and_beside_a_device()
    {
        PairCell[] cells = [.. PairMatrix.Pairs(OperationList.All, []).Where(cell => cell.Operations.Count == 1)];
        Assert.True(cells.Length > 150, $"{cells.Length} machines");
        Assert.Empty(PairRun.Run(cells, new PairSetup(), Options).Where(result => result.Report.Verdict != Verdict.Pass)
            .Select(result => $"{result.Cell.Name}: {result.Report.Verdict} {result.Report.Reason}{result.Report.Counterexample?.Sentence}"));
    }

    [Fact]
    public void Three_operations_meet_on_one_page()
    {
        IReadOnlyList<PairCell> cells = PairMatrix.Triples(OperationList.All, Chosen("madvise-cold", "reclaim", "user-load"));
        Assert.Equal(
            ["same-anonymous-busy", "same-anonymous-lazy", "same-anonymous-switching", "same-copyonwrite-busy"],
            cells.Select(cell => cell.Machine));
        IReadOnlyList<PairResult> results = PairRun.Run(cells, new PairSetup(), Options);
        Assert.All(results, result => Assert.Equal((Verdict.Pass, 3), (result.Report.Verdict, result.Cell.Operations.Count)));
        Assert.Equal([380L, 1_575, 2_565, 603], results.Select(result => result.Report.Stats.States));
    }

    [Fact]
    public void Three_operations_show_a_bug_of_two()
    {
        PairCell cell = PairMatrix.Triples(OperationList.All, Chosen("mprotect-ro", "reclaim-batched", "user-load"))[0];
        CheckReport report = PairRun.Check(cell, PairSetup.OfBug(ScenarioList.Find("B01")!)!, Options with { Workers = 1 });
        Assert.Equal((Verdict.Violation, "P-ret"), (report.Verdict, report.Counterexample!.PropertyId));
    }

    /// <summary>Every machine of a few small operations, in full and with fills and evictions as steps.</summary>
    [Theory]
    [InlineData("", "mprotect-ro", "reclaim-batched")]
    [InlineData("B01", "mprotect-ro", "reclaim-batched")]
    [InlineData("", "madvise-cold", "reclaim")]
    [InlineData("", "munmap", "writeback")]
    [InlineData("B51", "munmap", "writeback")]
    [InlineData("", "driver-free", "munmap")]
    [InlineData("B11", "driver-free", "munmap")]
    [InlineData("", "clear-refs", "reclaim-batched")]
    [InlineData("", "munmap-hugetlb", "munmap-hugetlb-other")]
    [InlineData("hugetlb-unshare-lazy", "munmap-hugetlb", "munmap-hugetlb-other")]
    public void Shortcuts_do_not_change_a_verdict(string bug, string first, string second)
    {
        PairSetup setup = bug.Length == 0 ? new PairSetup() : PairSetup.OfBug(ScenarioList.Find(bug)!)!;
        PairCell[] cells = [.. PairMatrix.Pairs(OperationList.All, Chosen(first, second)).Where(cell => cell.Relation == RangeRelation.Same)];
        Verdict[] fast = VerdictsOf(cells, setup, Options);
        Verdict[] unreduced = VerdictsOf(cells, setup, Options with { Reduction = false });
        Verdict[] explicitTlb = VerdictsOf(
            [.. cells.Where(cell => cell.Bystander == Bystander.Busy)], setup with { Tlb = TlbKind.Explicit }, Options);
        Assert.Equal(fast, unreduced);
        Assert.Equal(VerdictsOf([.. cells.Where(cell => cell.Bystander == Bystander.Busy)], setup, Options), explicitTlb);
    }

    /// <summary>
    /// hugetlbfs is memory that only its own operations understand: three of them, six pairs, each beside a storing CPU in three relations, beside
    /// a lazy one and one that switches.
    /// </summary>
    [Fact]
    public void Operations_on_hugetlbfs_meet_each_other_only()
    {
        PairCell[] cells = [.. PairMatrix.Pairs(OperationList.All, []).Where(cell => cell.Kind == PageKind.Hugetlb)];
        Assert.Equal(6 * 5, cells.Length);
        Assert.Equal(
            ["fault-hugetlb", "munmap-hugetlb", "munmap-hugetlb-other"],
            cells.SelectMany(cell => cell.Operations).Select(operation => operation.Id).Distinct().Order(StringComparer.Ordinal));
        Assert.All(PairRun.Run(cells, new PairSetup(), Options), result => Assert.Equal((Verdict.Pass, string.Empty), (result.Report.Verdict, result.Report.Reason)));
    }

    [Fact]
    public void A_new_operation_takes_the_place_of_one_with_its_id()
    {
        IReadOnlyList<MmOperation> operations = OperationList.With([new Nothing()]);
        Assert.Equal(OperationList.All.Count, operations.Count);
        Assert.IsType<Nothing>(operations.Single(operation => operation.Id == "munmap"));
    }

    [Fact]
    public void The_table_shows_the_worst_machine_of_a_pair()
    {
        string[] lines =
        [
            .. MatrixTable.Lines(new MatrixReport(
                "correct core", "sc", ["fork", "munmap", "reclaim"],
                [
                    Entry("fork", "munmap", Verdict.Pass, false), Entry("fork", "munmap", Verdict.Violation, false),
                    Entry("munmap", "munmap", Verdict.Inconclusive, false), Entry("fork", "fork", Verdict.Pass, true),
                    Entry("munmap", "reclaim", Verdict.Pass, false),
                ],
                0, [])),
        ];
        Assert.Equal(["             a b c", "  a fork     -", "  b munmap   X ?", "  c reclaim    ."], lines);
    }

    private static MatrixEntry Entry(string first, string second, Verdict verdict, bool judgedNothing)
        => new([first, second], "same-anonymous-busy", new CheckReport
        {
            ScenarioId = string.Empty,
            Number = string.Empty,
            Title = string.Empty,
            Variant = "core",
            Verdict = verdict,
            Reason = string.Empty,
            Model = "sc",
            Bounds = [],
            Stats = new ExplorationStats(),
            Coverage = [],
        }, judgedNothing, new CheckInvocation(string.Empty, "core", "sc", []));

    private static MmOperation[] Chosen(params string[] ids)
        => [.. ids.Distinct().Select(id => OperationList.All.Single(operation => operation.Id == id))];

    private static Verdict[] VerdictsOf(PairCell[] cells, PairSetup setup, CheckOptions options)
        => [.. PairRun.Run(cells, setup, options).Select(result => result.Report.Verdict)];

    private sealed class Nothing : MmOperation
    {
        public override string Id => "munmap";

        public override string Role => "nothing";

        public override async Proc Run(OperationCall call)
        {
        }
    }
}
