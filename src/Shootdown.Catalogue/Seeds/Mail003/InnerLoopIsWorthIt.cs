namespace Shootdown.Catalogue;

/// <summary>S003-07: the inner loop.</summary>
public sealed class InnerLoopIsWorthIt : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-07";

    /// <inheritdoc/>
    public override string Lines => "104-105";

    /// <inheritdoc/>
    public override string Claim => "the inner loop of free_pgtables should not be given up just for the patch";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Calls of free_pgd_range in one munmap of two neighbours with the inner loop and without it; and whether the patch without it pairs.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Cases003.Cost("with the inner loop", Cases003.ExecFirst, FlushPolicyKind.IgnoresFlags, VmaBrackets.None),
        Cases003.Cost("without it, patched", Cases003.ExecFirst, FlushPolicyKind.IgnoresFlags, VmaBrackets.PatchWithoutGathering),
        GatherFlagsModel.Run("pairs", Cases003.Case(Cases003.ExecFirst, FlushPolicyKind.X86, VmaBrackets.PatchWithoutGathering, PairRule.Tables)),
        GatherFlagsModel.Run("exec, plain", Cases003.Case(Cases003.ExecFirst, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.PatchWithoutGathering)),
        GatherFlagsModel.Run("plain, exec", Cases003.Case(Cases003.ExecLast, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.PatchWithoutGathering)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        int with = int.Parse(Cases003.CountOf(results, "with the inner loop", "free_pgd_range"), System.Globalization.CultureInfo.InvariantCulture);
        int without = int.Parse(Cases003.CountOf(results, "without it, patched", "free_pgd_range"), System.Globalization.CultureInfo.InvariantCulture);
        bool cures = results.Passed("exec, plain") && results.Passed("plain, exec");
        string pairs = results.Passed("pairs") ? "start and end pair then" : "start and end do not pair even then";
        return without > with && !cures
            ? new SeedAnswer(SeedVerdict.Holds, $"{with} call becomes {without}; {pairs}, but a shared table still outlives a flush")
            : new SeedAnswer(
                cures ? SeedVerdict.Depends : SeedVerdict.Refuted,
                $"{with} call becomes {without}; {pairs}{(cures ? ", and nothing survives" : string.Empty)}");
    }
}
