namespace Shootdown.Catalogue;

/// <summary>S003-01: the rule of start and end.</summary>
public sealed class EveryAreaBracketed : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-01";

    /// <inheritdoc/>
    public override string Lines => "11-13";

    /// <inheritdoc/>
    public override string Claim => "every area in a gather needs tlb_start_vma and tlb_end_vma, and free_pgtables has none";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Operations of the library, each alone on the kernel of today, with the rule asserted: a page or table is queued only between a start and
        an end. munmap with tables is the one that calls free_pgtables.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Cases003.Rule("munmap-tables"),
        Cases003.Rule("munmap"),
        Cases003.Rule("madvise-dontneed"),
        Cases003.Rule("truncate", PageKind.File),
        Cases003.Rule("driver-free", PageKind.Driver),
        Cases003.Rule("mprotect-ro"),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] broken = [.. results.Runs.Where(run => run.Verdict == Shootdown.Check.Verdict.Violation).Select(run => run.Name)];
        var table = new SeedTable("Rule: queued between start and end", ["operation", "result"], [.. results.Runs.Select(run => new[] { run.Name, run.Cell })]);
        return broken switch
        {
            ["munmap-tables"] => new SeedAnswer(SeedVerdict.Holds, "of the operations only free_pgtables queues outside of a pair") { Tables = [table] },
            [] => new SeedAnswer(SeedVerdict.Refuted, "no operation queues outside of a pair") { Tables = [table] },
            _ => new SeedAnswer(SeedVerdict.Depends, $"queued outside of a pair by {string.Join(", ", broken)}") { Tables = [table] },
        };
    }
}
