using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Runs of designs on workloads, as runs of items.</summary>
internal static class DesignRuns
{
    /// <summary>Is the design safe on the workload?</summary>
    public static SeedRun Safety(string name, FlushDesign design, DesignWorkload workload)
        => SeedRun.OfModel(name, $"{design.Id} on {workload.Id}", () => workload.BuildForSafety(design));

    /// <summary>What does it cost?</summary>
    public static SeedRun Costs(string name, FlushDesign design, DesignWorkload workload)
        => SeedRun.OfModel(name, $"{design.Id} on {workload.Id}, costs", () => workload.BuildForCosts(design));

    /// <summary>A counter of a run that counted costs.</summary>
    public static CostRange Cost(this SeedResults results, string name, CostKind kind)
        => results[name].Report?.Costs?.Run is { } run ? run[kind] : new CostRange(-1, -1);
}

/// <summary>A design with another ceiling for page-by-page flushes.</summary>
internal sealed class WithCeiling(FlushDesign inner, int ceiling) : FlushDesign
{
    public override string Id => $"{inner.Id}, ceiling {ceiling}";

    public override string Title => inner.Title;

    public override int Year => inner.Year;

    public override string Source => inner.Source;

    public override string Story => inner.Story;

    public override KernelParts Apply(KernelParts parts) => inner.Apply(parts);

    public override KernelOptions Configure(KernelOptions options) => inner.Configure(options) with { FlushCeiling = ceiling };
}

/// <summary>One point of the design space of S002-07.</summary>
internal sealed class EnumeratedDesign(IncrementRule rule, bool aimed, bool comparesGeneration)
    : DeferredGeneration(DeferralGrain.Vma, rule, aimed, comparesGeneration)
{
    public override string Id { get; } = $"a generation {(rule == IncrementRule.Always ? "for every change" : "if others took one")}, "
        + $"flush aimed at {(aimed ? "the noted" : "a new")} one, readers look at {(comparesGeneration ? "generations" : "the count of gathers")}";

    public override string Title => Id;

    /// <summary>True if every change takes a generation.</summary>
    public bool AlwaysIncrements { get; } = rule == IncrementRule.Always;
}
