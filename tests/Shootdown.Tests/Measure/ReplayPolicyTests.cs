using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Tests.Measure;

/// <summary>A recorded program under other flush designs: the same calls, faults and switches, other costs.</summary>
public sealed class ReplayPolicyTests
{
    private const string Trace = "multi61-mix4-40-3.trace-cmd.txt.gz";

    [Fact]
    public void The_recorded_kernel_comes_first_and_interrupts_as_predicted()
    {
        ReplayReport report = Replay(Trace, FlushPolicy.All);
        PolicyTable table = report.Policies!;

        Assert.Equal(["linux-6.1", .. FlushPolicy.All.Select(policy => policy.Name).Where(name => name != "linux-6.1")], table.Rows.Select(row => row.Name));
        Assert.Equal(report.Prediction!.Predicted.Interrupts, table.Rows[0].Costs.Interrupts);
        PolicyRow latr = table.Rows.Single(row => row.Name == "latr");
        Assert.True(latr.HeldByteSeconds > 10 * table.Rows[0].HeldByteSeconds, "LATR keeps pages until all CPUs have had a tick");
        Assert.InRange(table.OnCpuNs, 1, report.DurationNs * report.Cpus);
    }

    /// <summary>Every flush full: the same interrupts, but more is lost and read again.</summary>
    [Fact]
    public void Full_flushes_cost_refills_not_interrupts()
    {
        PolicyTable table = Replay(Trace, [FlushPolicy.Find("full")!]).Policies!;
        (ReplayCosts recorded, ReplayCosts full) = (table.Rows[0].Costs, table.Rows[1].Costs);

        Assert.Equal(recorded.Interrupts, full.Interrupts);
        Assert.True(full.Refills > recorded.Refills, $"{full.Refills} refills with full flushes, {recorded.Refills} without");
        Assert.True(recorded is { StallNs: > 0, StolenNs: > 0, RefillNs: > 0 } && recorded.KernelNs > recorded.StallNs);
    }

    [Fact]
    public void A_design_does_not_change_what_is_predicted()
        => Assert.Equal(Replay(Trace, []).Prediction!.Predicted, Replay(Trace, FlushPolicy.All).Prediction!.Predicted);

    [Fact]
    public void Times_follow_the_cost_file_and_counts_do_not()
    {
        string slow = Docs.Repository.Read("costs/default.json").Replace("\"deliver_median_ns\": ", "\"deliver_median_ns\": 9", StringComparison.Ordinal)
            .Replace("\"deliver_p90_ns\": ", "\"deliver_p90_ns\": 9", StringComparison.Ordinal);
        ReplayCosts fast = Replay(Trace, FlushPolicy.All).Policies!.Rows[0].Costs;
        ReplayCosts slowed = Replay(Trace, FlushPolicy.All, CostTable.Parse("slow.json", slow)).Policies!.Rows[0].Costs;

        Assert.Equal(fast.Interrupts, slowed.Interrupts);
        Assert.True(slowed.StallNs > fast.StallNs);
    }

    [Fact]
    public void Without_CPUs_there_is_no_comparison_and_it_says_so()
    {
        ReplayReport report = Replay("stress.strace", FlushPolicy.All);
        var text = new StringWriter { NewLine = "\n" };
        ReplayText.Write(report, text);

        Assert.Null(report.Policies);
        Assert.Contains("no comparison of policies", text.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("By policy", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Text_and_page_show_the_same_rows()
    {
        ReplayReport report = Replay(Trace, FlushPolicy.All);
        var text = new StringWriter { NewLine = "\n" };
        var page = new StringWriter { NewLine = "\n" };
        ReplayText.Write(report, text);
        ReplayHtml.Write(report, page);

        Assert.All(text.ToString().Split('\n'), line => Assert.True(line.Length <= 100, line));
        Assert.All(FlushPolicy.All, policy => Assert.Contains($"\n{policy.Name} ", text.ToString(), StringComparison.Ordinal));
        Assert.All(FlushPolicy.All, policy => Assert.Contains($"<td>{policy.Name}</td>", page.ToString(), StringComparison.Ordinal));
    }

    private static ReplayReport Replay(string file, IReadOnlyList<FlushPolicy> policies, CostTable? costs = null)
    {
        using TraceReader reader = TraceReader.Open(TraceText.PathOf(file));
        return Replayer.Run(reader, file, new ReplayOptions { Kernel = TimedProfile.Linux61, Policies = policies, Costs = costs });
    }
}
