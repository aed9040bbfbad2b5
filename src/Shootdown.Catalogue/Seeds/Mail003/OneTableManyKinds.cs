namespace Shootdown.Catalogue;

/// <summary>S003-09: one table, many kinds of areas.</summary>
public sealed class OneTableManyKinds : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-09";

    /// <inheritdoc/>
    public override string Lines => "107-110";

    /// <inheritdoc/>
    public override string Claim => "one table may serve areas of many kinds, so the flags of no single area are right when it is freed";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Two areas share a table, one of them executable, in both orders; the instruction TLB has a walk cache and is flushed only for executable
        areas. The table is freed with the flags of the last area, of the first (the patch), and of all of them.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        GatherFlagsModel.Run("last: exec, plain", Cases003.Case(Cases003.ExecFirst, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.None)),
        GatherFlagsModel.Run("last: plain, exec", Cases003.Case(Cases003.ExecLast, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.None)),
        GatherFlagsModel.Run("first: exec, plain", Cases003.Case(Cases003.ExecFirst, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.Patch)),
        GatherFlagsModel.Run("first: plain, exec", Cases003.Case(Cases003.ExecLast, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.Patch)),
        GatherFlagsModel.Run("all: exec, plain", Cases003.Case(Cases003.ExecFirst, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.Union)),
        GatherFlagsModel.Run("all: plain, exec", Cases003.Case(Cases003.ExecLast, FlushPolicyKind.ExecAddsInstructionTlb, VmaBrackets.Union)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] flags = ["last", "first", "all"];
        bool single = flags.Take(2).All(one => results.Violated($"{one}: exec, plain") || results.Violated($"{one}: plain, exec"));
        bool all = results.Passed("all: exec, plain") && results.Passed("all: plain, exec");
        var table = new SeedTable(
            "Table freed with the flags of",
            ["area", "exec, plain", "plain, exec"],
            [.. flags.Select(one => new[] { one, results[$"{one}: exec, plain"].Cell, results[$"{one}: plain, exec"].Cell })]);
        return single
            ? new SeedAnswer(
                SeedVerdict.Holds,
                $"the last fails on exec, plain, the first on plain, exec{(all ? "; only the flags of all, or-ed, do not" : string.Empty)}")
            { Tables = [table] }
            : new SeedAnswer(SeedVerdict.Refuted, "the flags of one area are enough") { Tables = [table] };
    }
}
