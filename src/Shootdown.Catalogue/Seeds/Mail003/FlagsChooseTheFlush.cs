namespace Shootdown.Catalogue;

/// <summary>S003-02: policies that look at flags.</summary>
public sealed class FlagsChooseTheFlush : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-02";

    /// <inheritdoc/>
    public override string Lines => "15-19";

    /// <inheritdoc/>
    public override string Claim => "some architectures choose the flush by the flags that tlb_start_vma noted";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Six policies of tlb_flush as types. Areas of the same places with different flags are unmapped; the number of flushes of each TLB tells
        whether the policy looks at flags: one that does treats the areas differently, and some order of areas shows it.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Cases003.Survivors("none", VmaBrackets.None, true),
        .. Cases003.Survivors("union", VmaBrackets.Union, true),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        IReadOnlyList<string> last = Cases003.UnsafePolicies("none", results);
        IReadOnlyList<string> union = Cases003.UnsafePolicies("union", results);
        SeedTable table = Cases003.TableOf("With the flags of the area that came last", "none", results);
        return last.Count > 0 && union.Count == 0
            ? new SeedAnswer(SeedVerdict.Holds, $"the flags decide what is flushed on {string.Join(" and ", last)}, on the others they do not") { Tables = [table] }
            : new SeedAnswer(SeedVerdict.Refuted, "no policy flushes less because of flags") { Tables = [table] };
    }
}
