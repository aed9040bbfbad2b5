namespace Shootdown.Catalogue;

/// <summary>S003-08: what survives without the patch.</summary>
public sealed class SurvivedForYears : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-08";

    /// <inheritdoc/>
    public override string Lines => "105-107";

    /// <inheritdoc/>
    public override string Claim => "architectures survived for years without the patch";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The table of S003-03, without the patch and with it: on which policies is there an entry that survives and can be used?
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Cases003.Survivors("none", VmaBrackets.None, true),
        .. Cases003.Survivors("none, no walk caches", VmaBrackets.None, false),
        .. Cases003.Survivors("patch", VmaBrackets.Patch, true),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        IReadOnlyList<string> none = Cases003.UnsafePolicies("none", results);
        IReadOnlyList<string> plain = Cases003.UnsafePolicies("none, no walk caches", results);
        IReadOnlyList<string> patch = Cases003.UnsafePolicies("patch", results);
        SeedTable[] tables = [Cases003.TableOf("Without the patch", "none", results), Cases003.TableOf("With the patch", "patch", results)];
        string cured = $"the patch leaves {(patch.Count == 0 ? "nothing" : string.Join(" and ", patch))}";
        return (none.Count, plain.Count) switch
        {
            (0, 0) => new SeedAnswer(SeedVerdict.Holds, "no stale entry can be reached without the patch on any policy") { Tables = tables },
            (_, 0) => new SeedAnswer(
                SeedVerdict.Depends, $"no stale entry but on {string.Join(" and ", none)} with walk caches that depend on the flag; {cured}")
            { Tables = tables },
            _ => new SeedAnswer(SeedVerdict.Refuted, $"stale entries on {string.Join(" and ", plain)}") { Tables = tables },
        };
    }
}
