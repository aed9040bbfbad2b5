using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Cli;
using Shootdown.Kernel;
using Shootdown.Machine;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Devices;

/// <summary>What scenarios and items about devices say besides bug and fix.</summary>
public sealed class DeviceScenarioTests
{
    /// <summary>With ats=1, or on the reference for TLBs, or without reduction, the verdict is the same.</summary>
    [Theory]
    [InlineData("B41")]
    [InlineData("B44")]
    [InlineData("B45")]
    [InlineData("B49")]
    [InlineData("S09")]
    [InlineData("S10")]
    public void Verdicts_do_not_depend_on_representation_or_reduction(string number)
    {
        foreach (Variant variant in (Variant[])[Variant.Bug, Variant.Fix])
        {
            Verdict expected = variant == Variant.Bug ? Verdict.Violation : Verdict.Pass;
            Assert.Equal(expected, Run(number, variant, TlbKind.Explicit).Verdict);
            Assert.Equal(expected, Run(number, variant, TlbKind.Lagging, reduction: false).Verdict);
            Assert.Equal(expected, Run(number, variant, TlbKind.Lagging, model: MemoryModelKind.X86Tso).Verdict);
        }
    }

    /// <summary>A callback that sleeps under the page-table lock, and a mutex in a flush with preemption off.</summary>
    [Theory]
    [InlineData("B41", "pitfall")]
    [InlineData("B49", "attempt")]
    public void Sleeping_where_one_must_not_is_found(string number, string bound)
    {
        CheckReport bug = Run(number, Variant.Bug, bounds: (bound, 1));
        Assert.Equal("P-atomic", bug.Counterexample?.PropertyId);
        Assert.Equal(Verdict.Pass, Run(number, Variant.Fix, bounds: (bound, 1)).Verdict);
    }

    /// <summary>What makes the old code work: a reference of the caller's, or a gather that does not fill up.</summary>
    [Theory]
    [InlineData("B41", "reference")]
    [InlineData("B44", "room")]
    public void What_hides_the_bug_is_known(string number, string bound)
        => Assert.Equal(Verdict.Pass, Run(number, Variant.Bug, bounds: (bound, 1)).Verdict);

    /// <summary>The reference holds current translations too and cannot tell what is out of date: no verdict, instead of a wrong one.</summary>
    [Fact]
    public void Redundancy_is_not_judged_on_the_reference()
        => Assert.Equal(Verdict.Inconclusive, Run("B42", Variant.Fix, TlbKind.Explicit).Verdict);

    /// <summary>A kernel whose flush forgets the secondary TLBs is found beside nearly every operation that removes or restricts.</summary>
    [Fact]
    public void The_matrix_finds_operations_that_forget_the_device()
    {
        PairCell[] cells = [.. PairMatrix.Pairs(OperationList.All, []).Where(cell => cell.Bystander == Bystander.Device)];
        var forgets = new PairSetup { Name = "forgets", Parts = new KernelParts { MmuNotifier = kernel => new TellsNobody(kernel) } };
        var options = new CheckOptions { MinimiserStatesMax = 1_000 };
        Assert.All(PairRun.Run(cells, new PairSetup(), options), result => Assert.Equal(Verdict.Pass, result.Report.Verdict));
        string[] found = [.. PairRun.Run(cells, forgets, options).Where(result => result.Report.Verdict == Verdict.Violation)
            .SelectMany(result => result.Cell.Operations).Select(operation => operation.Id).Distinct()];
        Assert.Superset(
            new HashSet<string> { "madvise-dontneed", "munmap", "munmap-tables", "mprotect-ro", "mremap", "migrate", "reclaim", "reclaim-batched",
                "fork", "clear-refs", "uffd-wp", "collapse", "truncate", "writeback", "numa-hint" },
            found.ToHashSet());
    }

    /// <summary>The items about places of flushes: their answers are computed, and these are they.</summary>
    [Theory]
    [InlineData("S000-01", SeedVerdict.Holds)]
    [InlineData("S000-02", SeedVerdict.Holds)]
    [InlineData("S000-04", SeedVerdict.Depends)]
    [InlineData("S000-05", SeedVerdict.Depends)]
    [InlineData("S000-06", SeedVerdict.Holds)]
    [InlineData("S000-08", SeedVerdict.Depends)]
    [InlineData("S000-09", SeedVerdict.Depends)]
    [InlineData("S000-11", SeedVerdict.Depends)]
    public void Seed_items_are_answered(string id, SeedVerdict expected)
    {
        SeedReport report = Assert.Single(SeedBatch.Run(SeedList.Find(id), new CheckOptions { MinimiserStatesMax = 1_000 }));
        Assert.Equal(expected, report.Answer.Verdict);
        Assert.InRange(report.Answer.Text.Length, 20, 160);
        Assert.InRange(report.Item.Claim.Length, 20, 110);
        Assert.All(report.Answer.Tables, table => Assert.All(table.Rows, row => Assert.Equal(table.Columns.Count, row.Count)));
    }

    [Fact]
    public void The_table_of_places_names_the_safe_rows()
    {
        SeedReport report = SeedBatch.Run(SeedList.Find("S000-09"), new CheckOptions { MinimiserStatesMax = 1_000 })[0];
        IReadOnlyList<IReadOnlyList<string>> rows = report.Answer.Tables[0].Rows;
        Assert.Equal(24, rows.Count);
        Assert.Equal(
            [
                "under PTL/under PTL/until flushed", "under PTL/under PTL/no", "under PTL/both/until flushed", "under PTL/both/no",
                "batched/under PTL/until flushed", "batched/both/until flushed",
            ],
            rows.Where(row => row.Skip(3).All(cell => cell == "safe")).Select(row => string.Join('/', row.Take(3))));
    }

    [Fact]
    public void The_template_for_drivers_runs_with_every_operation()
    {
        string cache = Directory.CreateTempSubdirectory("shootdown-test-").FullName;
        try
        {
            ScenarioFile file = SingleFileScenario.Load(Repository.PathOf("examples/device-driver.cs"), cache);
            Assert.Equal(string.Empty, file.Reason);
            Scenario scenario = Assert.Single(file.Scenarios);
            for (int operation = 0; operation < 8; operation++)
            {
                ScenarioSetup fix = ScenarioDefaults.SetupOf(scenario, Variant.Fix, MemoryModelKind.Sc, ("operation", operation));
                Assert.Equal(Verdict.Pass, ScenarioCheck.Run(scenario, fix, new CheckOptions()).Verdict);
            }
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    private static CheckReport Run(
        string number, Variant variant, TlbKind tlb = TlbKind.Lagging, bool reduction = true, MemoryModelKind model = MemoryModelKind.Sc,
        params (string Name, int Value)[] bounds)
    {
        Scenario scenario = ScenarioList.All.Single(candidate => candidate.Number == number);
        ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, variant, model, bounds) with { Tlb = tlb };
        return ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = 1, Reduction = reduction });
    }

    private sealed class TellsNobody(KernelModel kernel) : MmuNotifier(kernel)
    {
        public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, Mm mm, PageRange range)
        {
        }
    }
}
