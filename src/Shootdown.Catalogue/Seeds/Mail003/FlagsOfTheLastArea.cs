namespace Shootdown.Catalogue;

/// <summary>S003-03: what survives the flush with the last flags.</summary>
public sealed class FlagsOfTheLastArea : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-03";

    /// <inheritdoc/>
    public override string Lines => "21-25";

    /// <inheritdoc/>
    public override string Claim => "the flush behind free_pgtables uses the last flags, and page-walk caches may keep what it should purge";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        munmap of two areas on one CPU with TLBs for data and for instructions: executable, plain, hugetlb, in different orders, on six policies
        of tlb_flush; with walk caches beside both TLBs and without any. A walker runs ahead, executable pages are fetched at any time.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Cases003.Survivors("walk caches", VmaBrackets.None, true),
        .. Cases003.Survivors("no walk caches", VmaBrackets.None, false),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        IReadOnlyList<string> with = Cases003.UnsafePolicies("walk caches", results);
        IReadOnlyList<string> without = Cases003.UnsafePolicies("no walk caches", results);
        SeedTable[] tables =
        [
            Cases003.TableOf("With walk caches at both TLBs", "walk caches", results),
            Cases003.TableOf("Without walk caches", "no walk caches", results),
        ];
        return (with.Count, without.Count) switch
        {
            (0, 0) => new SeedAnswer(SeedVerdict.Refuted, "nothing survives on any policy") { Tables = tables },
            (_, 0) => new SeedAnswer(SeedVerdict.Depends, $"something survives on {string.Join(" and ", with)} if walk caches depend on the flag, else nowhere")
            { Tables = tables },
            _ => new SeedAnswer(SeedVerdict.Holds, $"something survives on {string.Join(" and ", without)} even without walk caches") { Tables = tables },
        };
    }
}
