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
        keep the plain one. Who is unsafe in both cases is so with either interface: the call comes too late at any end, and it is made from under the
        table's lock in a third run. And the unmap of reclaim with both interfaces: only_end, and the plain end where end_full exists.
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
        .. Cells.Where(IsKsm).Select(UnderLock),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] all = Names(Cells);
        string[] lose = Names(Cells.Where(cell => NeedOf(cell, results) == Need.EndFull));
        string[] late = Names(Cells.Where(cell => NeedOf(cell, results) == Need.UnderLock));
        bool equal = results.Passed("only_end") && results.Passed("end_full")
            && Cells.All(cell => NeedOf(cell, results) != Need.Neither);
        var table = new SeedTable(
            "range_end beside a device", ["operation", "memory", "implies", "does not", "needs"],
            [
                .. Cells.Select(cell => (IReadOnlyList<string>)
                [
                    Subject(cell), cell.Kind.ToString().ToLowerInvariant(), results[NameOf(cell, true)].Cell, results[NameOf(cell, false)].Cell,
                    TextOf(NeedOf(cell, results)),
                ]),
            ]);
        string both = late.Length == 0 ? string.Empty : $"; {string.Join(", ", late)} needs the call under the lock with either";
        SeedAnswer answer = (equal, lose.Length) switch
        {
            (true, 0) => new SeedAnswer(SeedVerdict.Holds, "no call site needs the implied call"),
            (true, _) => new SeedAnswer(SeedVerdict.Depends, $"equal if {lose.Length} of {all.Length} operations get the full end{both}"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "the two interfaces cannot be made equal: a call site is unsafe with every end"),
        };
        return answer with { Tables = [table] };
    }

    private enum Need
    {
        End,
        EndFull,
        UnderLock,
        Neither,
    }

    /// <summary>
    /// What a call site needs. One that is unsafe with the implied call too tells nothing about which end implies it, if the call under the lock
    /// is what helps; nothing else may be wrong with it.
    /// </summary>
    private static Need NeedOf(PairCell cell, SeedResults results)
        => (results.Passed(NameOf(cell, true)), results.Passed(NameOf(cell, false))) switch
        {
            (true, true) => Need.End,
            (true, false) => Need.EndFull,
            (false, false) when IsKsm(cell) && results.Passed(UnderLockName(cell)) => Need.UnderLock,
            _ => Need.Neither,
        };

    private static string TextOf(Need need) => need switch
    {
        Need.End => "end",
        Need.EndFull => "end_full",
        Need.UnderLock => "call under PTL",
        _ => "?",
    };

    private static string[] Names(IEnumerable<PairCell> cells) => [.. cells.Select(Subject).Distinct(StringComparer.Ordinal)];

    private static bool IsKsm(PairCell cell) => cell.Operations.Any(operation => operation is KsmOperation);

    private static string UnderLockName(PairCell cell) => $"{cell.Name}, ptep_clear_flush_notify";

    private static SeedRun UnderLock(PairCell cell)
    {
        string name = UnderLockName(cell);
        var setup = new PairSetup { Name = "4.14 ksm", Parts = DeviceStage.InvalidateRangeParts(ksmUnderLock: true) };
        return SeedRun.OfModel(name, name, () => PairModel.Build(cell, setup));
    }

    private static IReadOnlyList<PairCell> Cells { get; } =
        [.. PairMatrix.Pairs(OperationList.All, []).Where(cell => cell is { Bystander: Bystander.Device, Operations.Count: 2 } && SwarmOfRaces.WasThere(cell))];

    /// <summary>The operation that is not the storing thread.</summary>
    private static string Subject(PairCell cell)
        => cell.Operations.FirstOrDefault(operation => operation is not UserStoreOperation)?.Id ?? cell.Operations[0].Id;

    private static string NameOf(PairCell cell, bool implies)
        => $"{cell.Name}, range_end {(implies ? "implies" : "does not imply")} invalidate_range";

    private static SeedRun RunOf(PairCell cell, bool implies)
    {
        string name = NameOf(cell, implies);
        var setup = new PairSetup { Name = implies ? "4.15" : "plain end", Parts = DeviceStage.InvalidateRangeParts(implies) };
        return SeedRun.OfModel(name, name, () => PairModel.Build(cell, setup));
    }
}
