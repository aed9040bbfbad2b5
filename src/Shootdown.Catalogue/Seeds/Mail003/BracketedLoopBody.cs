namespace Shootdown.Catalogue;

/// <summary>S003-05: the patch.</summary>
public sealed class BracketedLoopBody : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-05";

    /// <inheritdoc/>
    public override string Lines => "48-69";

    /// <inheritdoc/>
    public override string Claim => "brackets around the loop body of free_pgtables make every table queued within the pair of its area";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        free_pgtables with and without the patch, asserting that end gets the area of start and that tables too are queued between the two: one
        area, two neighbours, two far apart, with hugetlb.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        GatherFlagsModel.Run("none, one area", Cases003.Case(Cases003.Single, FlushPolicyKind.X86, VmaBrackets.None, PairRule.Tables)),
        GatherFlagsModel.Run("one area", Cases003.Case(Cases003.Single, FlushPolicyKind.X86, VmaBrackets.Patch, PairRule.Tables)),
        GatherFlagsModel.Run("two neighbours", Cases003.Case(Cases003.ExecFirst, FlushPolicyKind.X86, VmaBrackets.Patch, PairRule.Tables)),
        GatherFlagsModel.Run("far apart", Cases003.Case(Cases003.FarApart, FlushPolicyKind.X86, VmaBrackets.Patch, PairRule.Tables)),
        GatherFlagsModel.Run("with hugetlb", Cases003.Case(Cases003.HugeLast, FlushPolicyKind.X86, VmaBrackets.Patch, PairRule.Tables)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool needed = results.Violated("none, one area");
        string[] wrong = [.. results.Runs.Skip(1).Where(run => run.Verdict != Shootdown.Check.Verdict.Pass).Select(run => run.Name)];
        return (needed, wrong.Length) switch
        {
            (true, 0) => new SeedAnswer(SeedVerdict.Holds, "every table is queued within the pair of its area"),
            (true, < 4) => new SeedAnswer(SeedVerdict.Depends, $"so without neighbours in reach of the inner loop; wrong for {string.Join(", ", wrong)}"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "the brackets change nothing"),
        };
    }
}
