namespace Shootdown.Catalogue;

/// <summary>S003-04: flushes of data caches.</summary>
public sealed class MoreCacheFlushes : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-04";

    /// <inheritdoc/>
    public override string Lines => "27-30";

    /// <inheritdoc/>
    public override string Claim => "the patch may cost needless flush_cache_range on some architectures";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Calls of flush_cache_range in one munmap of two areas, without and with the patch: neighbours in one table, and one of them hugetlb.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Cases003.Cost("two areas, none", Cases003.ExecFirst, FlushPolicyKind.IgnoresFlags, VmaBrackets.None),
        Cases003.Cost("two areas, patch", Cases003.ExecFirst, FlushPolicyKind.IgnoresFlags, VmaBrackets.Patch),
        Cases003.Cost("hugetlb, none", Cases003.HugeLast, FlushPolicyKind.IgnoresFlags, VmaBrackets.None),
        Cases003.Cost("hugetlb, patch", Cases003.HugeLast, FlushPolicyKind.IgnoresFlags, VmaBrackets.Patch),
    ];

    private static readonly string[] Counted = ["free_pgd_range", "flush_cache_range", "tlb_flush"];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var table = new SeedTable(
            "One munmap of two areas, on an architecture whose flush ignores the areas' flags",
            ["calls of", .. Counted],
            [.. results.Runs.Select(run => (IReadOnlyList<string>)
                [run.Name, .. Counted.Select(function => Cases003.CountOf(results, run.Name, function))])]);
        bool more = Calls("two areas, patch") > Calls("two areas, none") && Calls("hugetlb, patch") > Calls("hugetlb, none");
        string text = $"{Calls("two areas, none")} calls become {Calls("two areas, patch")}, with hugetlb {Calls("hugetlb, none")} become {Calls("hugetlb, patch")}";
        return new SeedAnswer(more ? SeedVerdict.Holds : SeedVerdict.Refuted, text) { Tables = [table] };

        int Calls(string name) => int.Parse(Cases003.CountOf(results, name, "flush_cache_range"), System.Globalization.CultureInfo.InvariantCulture);
    }
}
