using System.Globalization;
using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>S000-15: who is left with old entries, and after whose return.</summary>
public sealed class SecondCoreReturned : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S000-15";

    /// <inheritdoc/>
    public override string Lines => "71-73";

    /// <inheritdoc/>
    public override string Claim => "it is the second core that keeps old entries, although its own madvise has returned";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The run of S000-14, and the order of its steps: which call returned before the access that shows the bug, and on which CPU the old
        entry was used. The run is proved to be the one with the fewest context switches.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [SeedRun.OfScenario("before 2017", "madv-dontneed-parallel", Variant.Bug)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        if (results["before 2017"].Report?.Counterexample is not { } run)
        {
            return new SeedAnswer(SeedVerdict.Refuted, "no run shows the bug");
        }

        int[] returned = [.. run.Steps.Where(step => step.Text.EndsWith("returns", StringComparison.Ordinal)).Select(step => step.Column).Distinct()];
        TraceStep access = run.Steps[^1];
        bool isOwn = returned.Contains(access.Column);
        string who = string.Join(", ", returned.Select(column => run.Columns[column].Name));
        return new SeedAnswer(
            isOwn ? SeedVerdict.Holds : SeedVerdict.Refuted,
            string.Create(
                CultureInfo.InvariantCulture,
                $"madvise had returned on {who} only, and the old entry is used on {run.Columns[access.Column].Name} (step {run.Steps.Count})"));
    }
}
