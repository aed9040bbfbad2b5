using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S002-08.</summary>
public sealed class RingOfFlushes : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-08";

    /// <inheritdoc/>
    public override string Lines => "70";

    /// <inheritdoc/>
    public override string Claim => "a ring of flushes, read by whoever is behind, allows several partial flushes at once";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The ring as a design (./shootdown designs flush-ring), and each of the questions as a mistake in it: (a) lag, (b) generation before
        slot, (c) order of producers, (d) torn slot, (e) ring before generation, (f) freed tables, (g) coalescing. Mistakes and corrections run on
        the same machine. Then a ring that publishes the generation first but compares it in the slot; and what three small flushes cost
        a CPU that missed them, with the ring and with Linux 6.12.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Questions.SelectMany(question => new[]
        {
            SeedRun.OfScenario(question.Name, question.Scenario, Variant.Bug, ("mistake", question.Mistake)),
            SeedRun.OfScenario($"{question.Name}, right", question.Scenario, Variant.Fix, ("mistake", question.Mistake)),
        }),
        SeedRun.OfModel("(b) generation first, compared", "S002-08 publishes first", () => RingStage.Build(
            RingMistake.GenerationFirst, new FlushRing(RingMistake.None, 2, publishesFirst: true), 2).ToModel(new Check.PRet())),
        .. DesignList.Workloads.Where(workload => workload is not PageCacheChange)
            .Select(workload => DesignRuns.Safety($"ring on {workload.Id}", new FlushRing(), workload)),
        DesignRuns.Costs("ring, costs", new FlushRing(), new SmallRanges()),
        DesignRuns.Costs("6.12, costs", new BatchedFlush(), new SmallRanges()),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] missed = [.. Questions.Where(question => !results.Violated(question.Name)).Select(question => question.Name)];
        bool right = results.Runs
            .Where(run => run.Name.EndsWith("right", StringComparison.Ordinal) || run.Name.StartsWith("ring on", StringComparison.Ordinal))
            .All(run => results.Passed(run.Name)) && results.Passed("(b) generation first, compared");
        var table = new SeedTable("questions", ["question", "mistake", "right"], [.. Questions.Select(question => new[]
        {
            question.Name, results[question.Name].Cell, results[$"{question.Name}, right"].Cell,
        })]);
        var costs = new SeedTable(
            "three small flushes that a CPU missed", ["design", "partial", "CR3 writes that flush"], [.. Costs.Select(name => new[]
        {
            name, results.Cost(name, CostKind.PartialFlushes).ToString(), results.Cost(name, CostKind.SwitchFlushes).ToString(),
        })]);
        bool cheaper = results.Cost("ring, costs", CostKind.SwitchFlushes).Max < results.Cost("6.12, costs", CostKind.SwitchFlushes).Max;
        SeedAnswer answer = right && missed.Length == 0 && cheaper
            ? new SeedAnswer(
                SeedVerdict.Holds, "safe if all of (a) to (g) are right, each mistake loses a flush; who missed three catches up page by page")
            : right ? new SeedAnswer(SeedVerdict.Depends, $"safe; no run against {string.Join(", ", missed)}; cheaper: {cheaper}")
            : new SeedAnswer(SeedVerdict.Refuted, "the ring is not safe");
        return answer with { Tables = [table, costs] };
    }

    private static readonly string[] Costs = ["ring, costs", "6.12, costs"];

    private static readonly (string Name, string Scenario, int Mistake)[] Questions =
    [
        ("(a) lag", "flush-ring-mistakes", 1),
        ("(b) generation first", "flush-ring-mistakes", 2),
        ("(c) order of producers", "flush-ring-mistakes", 3),
        ("(d) torn slot", "flush-ring-mistakes", 4),
        ("(e) ring before generation", "flush-ring-mistakes", 5),
        ("(f) lazy CPU, freed tables", "flush-ring-tables", 0),
        ("(f) switch, freed tables", "flush-ring-tables", 1),
        ("(g) ceiling", "flush-ring-mistakes", 6),
        ("(g) widened slot", "flush-ring-mistakes", 7),
    ];
}
