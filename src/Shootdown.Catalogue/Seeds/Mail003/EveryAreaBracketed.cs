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
        an end; and the end of a process. munmap with tables and exit_mmap free tables through free_pgtables; execve, which
        moves the stack of a new program, calls free_pgd_range itself (shift_arg_pages); munmap of hugetlbfs gives up a table that is shared.
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
        Cases003.Rule("mremap"),
        Cases003.Rule("shift-arg-pages"),
        Cases003.Rule("munmap-hugetlb", PageKind.Hugetlb),
        Cases003.ExitRule("exit"),
    ];

    /// <summary>Those that free page tables.</summary>
    private static readonly string[] FreeTables = ["munmap-tables", "exit", "shift-arg-pages"];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] broken = [.. results.Runs.Where(run => run.Verdict == Shootdown.Check.Verdict.Violation).Select(run => run.Name)];
        var table = new SeedTable("Rule: queued between start and end", ["operation", "result"], [.. results.Runs.Select(run => new[] { run.Name, run.Cell })]);
        bool onlyTables = results.Runs.All(run => run.Verdict != Shootdown.Check.Verdict.Violation
            || run.Report!.Counterexample!.Sentence.Contains("a table is queued", StringComparison.Ordinal));
        SeedAnswer answer = broken.Length == 0 ? new SeedAnswer(SeedVerdict.Refuted, "no operation queues outside of a pair")
            : broken.ToHashSet(StringComparer.Ordinal).SetEquals(FreeTables) && onlyTables
            ? new SeedAnswer(
                SeedVerdict.Holds, $"of {results.Runs.Count} only those that call free_pgd_range queue outside of a pair: tables, in {string.Join(", ", broken)}")
            : new SeedAnswer(SeedVerdict.Depends, $"{(onlyTables ? "tables are" : "a page is")} queued outside of a pair by {string.Join(", ", broken)}");
        return answer with { Tables = [table] };
    }
}
