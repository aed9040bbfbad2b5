using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S002-04.</summary>
public sealed class GenerationIsNotBehind : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-04";

    /// <inheritdoc/>
    public override string Lines => "48-52";

    /// <inheritdoc/>
    public override string Claim => "if the generation differs from the noted one, it is larger: VM_BUG_ON(mm_gen < defer_gen)";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The assertion stands in read_defer_tlb_flush_gen() of the area and table designs that take a generation only if somebody else
        took one. It alone is judged, on every workload of ./shootdown designs.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Designs.SelectMany(design => DesignList.Workloads.Select(workload => SeedRun.OfModel(
            $"{design.Id} on {workload.Id}", $"S002-04 {design.Id} {workload.Id}", () => workload.BuildToLookFor(design, new AssertionOf("mm_gen >="))))),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] reached = [.. results.Runs.Where(run => results.Violated(run.Name)).Select(run => run.Name)];
        int evaluated = results.Runs.Count(run => run.Report!.Coverage[0].TimesExercised > 0);
        return evaluated == 0 ? new SeedAnswer(SeedVerdict.Undecided, "no workload comes to the assertion")
            : reached.Length == 0
            ? new SeedAnswer(SeedVerdict.Holds, $"it never fails in {results.Runs.Count} exhaustive explorations, {evaluated} of which evaluate it")
            : new SeedAnswer(SeedVerdict.Refuted, $"reachable: {string.Join(", ", reached)}");
    }

    private static FlushDesign[] Designs => [new VmaGenerationOnce(), new TableGenerationOnce()];

    /// <summary>One assertion; others are passed over.</summary>
    private sealed class AssertionOf(string text) : Property
    {
        public override string Id => "assert";

        public override string JudgementText => "assertions";

        public override void OnAssert(MachineState state, bool holds, string message)
        {
            if (message.StartsWith(text, StringComparison.Ordinal))
            {
                Judge(state);
                if (!holds)
                {
                    Report(state, $"The assertion fails: {message}.");
                }
            }
        }
    }
}
