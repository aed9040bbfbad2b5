using System.Text.Json;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;
using Shootdown.Report;
using Shootdown.Tests.Cli;

namespace Shootdown.Tests.Costs;

/// <summary><c>check --cost</c>: what the runs of a scenario cost, operation by operation.</summary>
public sealed class CheckCostTests
{
    /// <summary>
    /// Copy-on-write beside a guest. In the kernel with change_pte each run has one callback for which nothing is mapped; without it none
    /// has; and where nothing surrounds the change, change_pte is the only call besides that of the flush.
    /// </summary>
    [Theory]
    [InlineData(Variant.Bug, 0, 4, 1, 1)]
    [InlineData(Variant.Fix, 0, 3, 1, 0)]
    [InlineData(Variant.Fix, 1, 2, 1, 0)]
    public void A_callback_for_nothing_is_counted_in_every_run(Variant variant, int alone, long calls, long flushes, long vain)
    {
        CheckReport report = Count("change-pte-in-vain", variant, ("alone", alone));
        CostRow user = report.Costs!.Of(0)!;
        Assert.Equal(("user", new CostRange(calls, calls)), (user.Operation, user[CostKind.NotifierCalls]));
        Assert.Equal(new CostRange(flushes, flushes), user[CostKind.SecondaryFlushes]);
        Assert.Equal(new CostRange(vain, vain), user[CostKind.CallbacksInVain]);
        Assert.Equal(new CostRange(0, 0), report.Costs.Of(1)![CostKind.NotifierCalls]);
    }

    /// <summary>The bug of B42 breaks nothing: two commands to the IOMMU where one will do, and the second finds nothing.</summary>
    [Fact]
    public void The_second_command_is_for_nothing_in_every_run()
    {
        CostRow twice = Count("notifier-double-invalidate", Variant.Bug, ("cpus", 2)).Costs!.Run!;
        CostRow once = Count("notifier-double-invalidate", Variant.Fix, ("cpus", 2)).Costs!.Run!;
        Assert.Equal((new CostRange(2, 2), new CostRange(1, 1)), (twice[CostKind.SecondaryFlushes], once[CostKind.SecondaryFlushes]));
        Assert.Equal((new CostRange(1, 1), new CostRange(0, 0)), (twice[CostKind.SecondaryRedundant], once[CostKind.SecondaryRedundant]));
    }

    [Fact]
    public void The_table_has_a_row_an_operation_and_a_column_a_counter_that_is_used()
    {
        using var output = new StringWriter { NewLine = "\n" };
        CostText.Write(Count("notifier-double-invalidate", Variant.Bug, ("cpus", 2)), output);
        Assert.Equal(
            """

              costs         part  IPIs  mn  2nd  vain  2nd vain
              CPU0 reclaim     1     1   4    2  1..2         1
              CPU1 user        0     0   0    0     0         0
              a whole run      1     1   4    2  1..2         1
              part: flushes page by page; IPIs: IPIs sent; mn: notifier calls; 2nd:
              flushes of secondary MMUs; vain: flushes that had nothing old to drop;
              2nd vain: those of secondary MMUs among them; least..most over all
              runs

            """,
            output.ToString());
    }

    [Fact]
    public void The_document_has_the_same_numbers()
    {
        CheckReport report = Count("notifier-double-invalidate", Variant.Bug);
        using var output = new StringWriter { NewLine = "\n" };
        ReportJson.WriteChecks([(report, new CheckInvocation("B42", "bug", "sc", []))], 0, 1, "1", output);
        using var document = JsonDocument.Parse(output.ToString());
        JsonElement costs = document.RootElement.GetProperty("checks")[0].GetProperty("costs");
        Assert.Equal(string.Empty, costs.GetProperty("reason").GetString());
        JsonElement[] rows = [.. costs.GetProperty("rows").EnumerateArray()];
        Assert.Equal([-1, 0], rows.Select(row => row.GetProperty("cpu").GetInt32()));
        JsonElement redundant = rows[1].GetProperty("counters").GetProperty("secondary_redundant");
        Assert.Equal((1, 1), (redundant.GetProperty("min").GetInt32(), redundant.GetProperty("max").GetInt32()));
    }

    /// <summary>Counting is an exploration of its own: the verdict, and the states it rests on, do not change.</summary>
    [Theory]
    [InlineData("madv-dontneed-parallel")]
    [InlineData("change-pte-in-vain")]
    [InlineData("start-only-driver-refault")]
    [InlineData("cow-secondary-order")]
    public void Reduction_changes_nothing_about_costs(string id)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        foreach (Variant variant in scenario.Variants)
        {
            ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, variant);
            CheckReport fast = Checked(scenario, setup, new CheckOptions { Workers = 2 });
            CheckReport slow = Checked(scenario, setup, new CheckOptions { Workers = 1, Reduction = false });
            Assert.Equal((string.Empty, string.Empty), (fast.CostsReason, slow.CostsReason));
            Assert.True(CostCounterTests.SameCosts(slow.Costs!, fast.Costs!), $"{id}, {variant}");
            Assert.Equal(ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = 2 }).Verdict, fast.Verdict);
        }
    }

    [Fact]
    public void Where_costs_cannot_be_counted_the_reason_is_said()
    {
        Scenario scenario = ScenarioList.Find("madv-dontneed-parallel")!;
        ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, Variant.Fix) with { Tlb = TlbKind.Explicit };
        CheckReport report = ScenarioCheck.CountCosts(Report.SampleReports.Pass(), scenario, setup, new CheckOptions());
        Assert.Null(report.Costs);
        using var output = new StringWriter { NewLine = "\n" };
        CostText.Write(report, output);
        Assert.Equal(
            """
              costs     not counted: costs are counted with the lagging TLB: the
                        explicit one says what is cached, not what may be

            """,
            output.ToString());
    }

    [Fact]
    public void Costs_of_one_schedule_are_refused()
    {
        (int exitCode, _, string error) = new FakeCatalogue().Run("check", "B02", "--variant", "bug", "--cost", "--schedule", "0");
        Assert.Equal(64, exitCode);
        Assert.Contains("--cost counts over all runs, --schedule replays one", error, StringComparison.Ordinal);
    }

    private static CheckReport Count(string id, Variant variant, params ReadOnlySpan<(string Name, int Value)> bounds)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        return Checked(scenario, ScenarioDefaults.SetupOf(scenario, variant, scenario.Model, bounds), new CheckOptions { Workers = 1 });
    }

    private static CheckReport Checked(Scenario scenario, ScenarioSetup setup, CheckOptions options)
        => ScenarioCheck.CountCosts(ScenarioCheck.Run(scenario, setup, options), scenario, setup, options);
}
