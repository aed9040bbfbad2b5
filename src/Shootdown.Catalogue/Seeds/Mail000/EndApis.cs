namespace Shootdown.Catalogue;

/// <summary>S000-11: an end that does less, or an end that does more.</summary>
public sealed class EndApis : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S000-11";

    /// <inheritdoc/>
    public override string Lines => "49-58";

    /// <inheritdoc/>
    public override string Claim => "let range_end imply nothing, and a range_end_full imply invalidate_range";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Each operation of the library beside a storing thread and a device, with a range_end that implies invalidate_range at every call site, and
        with one that implies it at none. Who is unsafe in the second case must be given the full end if the interface is turned round: all others may
        keep the plain one; who is unsafe in both needs a call before the end. And the unmap of reclaim with both interfaces: only_end,
        and the plain end where end_full exists.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        For the merge of KSM both ends are too late. It write-protects the page under the lock and tells the device behind the
        unlock, at the end of its range. In between a thread that stores takes a fault and copies the page, while the device still writes to
        the original. That call must come with the flush, under the lock. For the other operations the interfaces can be made equal.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("only_end", "notifier-double-invalidate", Variant.Fix),
        SeedRun.OfScenario("end_full", "notifier-double-invalidate", Variant.Fix, ("api", 1)),
        .. Cells.SelectMany(cell => new[] { RunOf(cell, true), RunOf(cell, false) }),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] all = Subjects(_ => true);
        string[] tooLate = Subjects(cell => results.Violated(NameOf(cell, true)));
        string[] lose = Subjects(cell => results.Violated(NameOf(cell, false)) && !results.Violated(NameOf(cell, true)));
        bool equal = results.Passed("only_end") && results.Passed("end_full");
        var table = new SeedTable(
            "range_end beside a device", ["operation", "memory", "implies", "does not", "needs"],
            [
                .. Cells.Select(cell => (IReadOnlyList<string>)
                [
                    Subject(cell), cell.Kind.ToString().ToLowerInvariant(), results[NameOf(cell, true)].Cell, results[NameOf(cell, false)].Cell,
                    results.Violated(NameOf(cell, true)) ? "an earlier call" : results.Violated(NameOf(cell, false)) ? "end_full" : "end",
                ]),
            ]);
        SeedAnswer answer = (equal, lose.Length + tooLate.Length) switch
        {
            (true, 0) => new SeedAnswer(SeedVerdict.Holds, "no call site needs the implied call"),
            (true, _) => new SeedAnswer(
                SeedVerdict.Depends,
                $"equal if {lose.Length} of {all.Length} operations get the full end; they lose a call that they need with the plain one"
                    + (tooLate.Length == 0 ? string.Empty : $"; both are too late for {string.Join(", ", tooLate)}")),
            _ => new SeedAnswer(SeedVerdict.Refuted, "the unmap of reclaim is unsafe with one of the interfaces"),
        };
        return answer with { Tables = [table] };
    }

    private static IReadOnlyList<PairCell> Cells { get; } =
        [.. PairMatrix.Pairs(OperationList.All, []).Where(cell => cell.Bystander == Bystander.Device)];

    private static string[] Subjects(Func<PairCell, bool> where) => [.. Cells.Where(where).Select(Subject).Distinct(StringComparer.Ordinal)];

    /// <summary>The operation that is not the storing thread.</summary>
    private static string Subject(PairCell cell)
        => cell.Operations.FirstOrDefault(operation => operation is not UserStoreOperation)?.Id ?? cell.Operations[0].Id;

    private static string NameOf(PairCell cell, bool implies)
        => $"{cell.Name}, range_end {(implies ? "implies" : "does not imply")} invalidate_range";

    private static SeedRun RunOf(PairCell cell, bool implies)
    {
        string name = NameOf(cell, implies);
        var setup = new PairSetup { Name = implies ? "4.14" : "plain end", Parts = DeviceStage.InvalidateRangeParts(implies) };
        return SeedRun.OfModel(name, name, () => PairModel.Build(cell, setup));
    }
}
