using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Designs that tell in which granularity owed flushes are detected, for the items of mail 002.</summary>
internal static class DetectionDesigns
{
    /// <summary>As Linux 6.12 detects them: a count of gathers in the address space.</summary>
    public static FlushDesign Today { get; } = new BatchedFlush();

    /// <summary>Other ways, coarse ones first.</summary>
    public static IReadOnlyList<FlushDesign> Others { get; } =
    [
        new PerMmPending(), new MmGeneration(), new VmaGeneration(), new VmaGenerationOnce(), new TableGeneration(), new TableGenerationOnce(),
    ];

    /// <summary>One of 6.12, and one of each grain with a generation for every change.</summary>
    public static IReadOnlyList<FlushDesign> Grains { get; } = [Today, new MmGeneration(), new VmaGeneration(), new TableGeneration()];

    /// <summary>Name of a run with a hint somewhere.</summary>
    public static string Name(FlushDesign design, string place) => $"{design.Id}, hint in {place}";
}

/// <summary>Noted in the address space, a generation for every change.</summary>
internal sealed class MmGeneration() : DeferredGeneration(DeferralGrain.Mm, IncrementRule.Always)
{
    /// <inheritdoc/>
    public override string Id => "mm-generation";

    /// <inheritdoc/>
    public override string Title => "owed flushes noted in the address space; a generation for every change";
}

/// <summary>The negative control: an entry that hardware cannot use is never flushed, whatever is owed (the bug of B05).</summary>
internal sealed class NoDetection : FlushDesign
{
    /// <inheritdoc/>
    public override string Id => "no-detection";

    /// <inheritdoc/>
    public override string Title => "entries with a NUMA hint are not flushed when they are cleared";

    /// <inheritdoc/>
    public override int Year => 2013;

    /// <inheritdoc/>
    public override string Source => "pte_accessible() before 20841405940e";

    /// <inheritdoc/>
    public override string Story => "Who clears an entry that is not present flushes nothing: the hint was flushed when it was made, or so it is believed.";

    /// <inheritdoc/>
    public override bool IsSound => false;

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with { PteOps = kernel => new PresentOnly(kernel) };
    }

    private sealed class PresentOnly(KernelModel kernel) : PteOps(kernel)
    {
        public override async Proc<bool> PteAccessible(Cpu cpu, Mm mm, Pte value) => value.Present;
    }
}

/// <summary>A design on a kernel that flushes for each page that it migrates, as until 6.2: by ptep_clear_flush.</summary>
internal sealed class WithoutBatchedMigration(FlushDesign inner) : FlushDesign
{
    /// <inheritdoc/>
    public override string Id => inner.Id;

    /// <inheritdoc/>
    public override string Title => inner.Title;

    /// <inheritdoc/>
    public override int Year => inner.Year;

    /// <inheritdoc/>
    public override string Source => inner.Source;

    /// <inheritdoc/>
    public override string Story => inner.Story;

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts) => inner.Apply(parts) with { Migrate = kernel => new UnbatchedMigrate(kernel) };

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => inner.Configure(options);
}
