namespace Shootdown.Kernel;

/// <summary>Where a change that waits for its flush is noted.</summary>
public enum DeferralGrain
{
    /// <summary>In the address space.</summary>
    Mm,

    /// <summary>In the area (VMA): here every two pages are one.</summary>
    Vma,

    /// <summary>In the page table: here every page is alone in one.</summary>
    Table,
}

/// <summary>When a deferred change takes a generation.</summary>
public enum IncrementRule
{
    /// <summary>Only if the process has moved on since the gather's last change (the RFC).</summary>
    IfChanged,

    /// <summary>Every time.</summary>
    Always,
}

/// <summary>
/// The designs of seed 002: a change of an entry is noted with the generation that its flush must reach, and compared with
/// the generation that all flushes have reached.
/// </summary>
/// <param name="grain">Where it is noted.</param>
/// <param name="rule">When it takes a generation.</param>
/// <param name="aimed">True if the flush at the end is aimed at the noted generation and takes none of its own.</param>
/// <param name="comparesGeneration">
/// True if who looks for owed flushes compares generations; false for the count of gathers of Linux 6.12.
/// </param>
public abstract class DeferredGeneration(DeferralGrain grain, IncrementRule rule, bool aimed = true, bool comparesGeneration = true)
    : FlushDesign
{
    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override string Source => "seed 002: Nadav Amit, RFC 15/20 \"mm: detect deferred TLB flushes in vma granularity\", and his answer";

    /// <inheritdoc/>
    public override bool IsSound => rule == IncrementRule.Always;

    /// <inheritdoc/>
    public override string? NotMeasured => grain == DeferralGrain.Vma
        ? "notes belong to areas, and on the timed machine areas with equal rights are one" : null;

    /// <inheritdoc/>
    public override string Story =>
        "When a gather changes an entry it notes a generation of the address space. The flush at the end is aimed at it, and then "
        + "counts as reached. Who looks at entries later compares the two: what is not reached yet is owed. "
        + (rule == IncrementRule.Always
            ? "Every change takes a new generation, so the flush skips some and becomes a full one."
            : "A change takes a new generation only if the address space has moved on since the gather's last change.");

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        int pagesPerNote = grain switch { DeferralGrain.Mm => 32, DeferralGrain.Vma => 2, _ => 1 };
        return parts with
        {
            TlbFlush = kernel => new GenerationFlush(kernel, pagesPerNote, rule),
            MmuGather = kernel => new GenerationGather(kernel, aimed, comparesGeneration),
            Zap = kernel => new GenerationZap(kernel),
            Mprotect = kernel => new GenerationMprotect(kernel),
            PteOps = kernel => comparesGeneration ? new GenerationPteOps(kernel) : new PteOps(kernel),
        };
    }
}

/// <summary>Noted in the area, generations taken as in the RFC.</summary>
public sealed class VmaGenerationOnce() : DeferredGeneration(DeferralGrain.Vma, IncrementRule.IfChanged)
{
    /// <inheritdoc/>
    public override string Id => "vma-generation-rfc";

    /// <inheritdoc/>
    public override string Title => "owed flushes noted in the area; a generation only if somebody else took one";
}

/// <summary>Noted in the area, a generation for every change.</summary>
public sealed class VmaGeneration() : DeferredGeneration(DeferralGrain.Vma, IncrementRule.Always)
{
    /// <inheritdoc/>
    public override string Id => "vma-generation";

    /// <inheritdoc/>
    public override string Title => "owed flushes noted in the area; a generation for every change";
}

/// <summary>Noted in the table, generations taken as in the RFC.</summary>
public sealed class TableGenerationOnce() : DeferredGeneration(DeferralGrain.Table, IncrementRule.IfChanged)
{
    /// <inheritdoc/>
    public override string Id => "table-generation-rfc";

    /// <inheritdoc/>
    public override string Title => "owed flushes noted in the table; a generation only if somebody else took one";
}

/// <summary>Noted in the table, a generation for every change.</summary>
public sealed class TableGeneration() : DeferredGeneration(DeferralGrain.Table, IncrementRule.Always)
{
    /// <inheritdoc/>
    public override string Id => "table-generation";

    /// <inheritdoc/>
    public override string Title => "owed flushes noted in the table; a generation for every change";
}
