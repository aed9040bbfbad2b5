namespace Shootdown.Catalogue;

/// <summary>S003-06: the refusal.</summary>
public sealed class EndGetsAnotherArea : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-06";

    /// <inheritdoc/>
    public override string Lines => "73-102";

    /// <inheritdoc/>
    public override string Claim => "the inner loop moves on, so tlb_end_vma gets another area than tlb_start_vma: the patch defeats itself";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The patch with the pair asserted: two neighbours of different flags in one table, one area, a hugetlb area among them, two far apart.
        Then what the flush does with the flags of the first area instead of the last, where executable areas have TLBs of their own.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        The expectation was that the patch is useless. It is worse: where the flush of the instruction side depends on VM_EXEC, the kernel without
        the patch is safe if the executable area comes last, and the patch makes that order unsafe, because the first area sets the flag.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("two neighbours", "free-pgtables-vma-flags", Variant.Bug),
        GatherFlagsModel.Run("one area", Cases003.Case(Cases003.Single, FlushPolicyKind.X86, VmaBrackets.Patch, PairRule.Pages)),
        GatherFlagsModel.Run("hugetlb", Cases003.Case(Cases003.HugeLast, FlushPolicyKind.X86, VmaBrackets.Patch, PairRule.Pages)),
        GatherFlagsModel.Run("far apart", Cases003.Case(Cases003.FarApart, FlushPolicyKind.X86, VmaBrackets.Patch, PairRule.Pages)),
        GatherFlagsModel.Run("flags of the first area", Cases003.Case(Cases003.ExecLast, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.Patch)),
        GatherFlagsModel.Run("flags of the last area", Cases003.Case(Cases003.ExecLast, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.None)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool mixed = results.Violated("two neighbours");
        bool others = results.Passed("one area") && results.Passed("hugetlb") && results.Passed("far apart");
        bool harm = results.Violated("flags of the first area") && results.Passed("flags of the last area");
        return (mixed, others) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds,
                "two neighbours mix the pair; one area, hugetlb and distant areas do not"
                    + (harm ? "; the patch even lets a table be freed that a fetch still walks" : string.Empty)),
            (true, false) => new SeedAnswer(SeedVerdict.Holds, "the pair is mixed, not only for neighbours"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "start and end get the same area"),
        };
    }
}
