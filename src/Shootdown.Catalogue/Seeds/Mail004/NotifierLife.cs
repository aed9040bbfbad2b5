namespace Shootdown.Catalogue;

/// <summary>S004-10: a list of notifiers that is walked under SRCU, and its end of life.</summary>
public sealed class NotifierLife : SeedItem
{
    private const string All = "unregister, exit, reclaim";
    private const string Rcu = "RCU instead of SRCU: unregister, reclaim";

    private static readonly (string Name, bool Exits, bool ReleasesOnce)[] Races =
    [
        ("unregister, reclaim", false, false),
        ("unregister, exit", true, false),
        ("unregister, exit, release once", true, true),
    ];

    /// <inheritdoc/>
    public override string Id => "S004-10";

    /// <inheritdoc/>
    public override string Lines => "8, 12";

    /// <inheritdoc/>
    public override string Claim => "with SRCU callbacks may sleep; unregister and release still end in time (all of it, and what is needed)";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A driver unregisters its notifier and frees it; callbacks take a mutex. Meanwhile reclaim unmaps the page and calls them, or the
        process exits and releases the notifier too, or both; a driver may release once and let a second caller through at once. A callback
        must not run when unregister has returned, and no page may be freed while the device has it mapped. Then with one thing left out: the
        read section around the walk, either wait for a grace period, and the order of unregister (release, then unlink). Last, RCU
        in place of SRCU, which does not let a callback sleep (P-atomic).
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        With release before unlink the wait of the exit is not needed for a driver whose release may run twice at a time: either the exit
        finds the notifier
        on the list and releases it itself, or its release is over. It is needed for a driver that lets a second call of release through at
        once, as the kernel's comment on it supposes.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from omission in Omissions.Prepend(NotifierOmission.None)
           from race in Races
           select SeedRun.OfModel(
               NameOf(omission, race.Name),
               $"notifier life {omission} {race.Name}",
               () => NotifierLifeModel.Build(omission, race.Exits, !race.Exits, race.ReleasesOnce)),
        SeedRun.OfModel(
            NameOf(NotifierOmission.None, All), $"notifier life {All}", () => NotifierLifeModel.Build(NotifierOmission.None, true, true, false)),
        SeedRun.OfModel(
            Rcu, "notifier life RCU, unregister, reclaim", () => NotifierLifeModel.Build(NotifierOmission.PlainRcu, false, true, false)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool clean = results.Passed(NameOf(NotifierOmission.None, All))
            && Races.All(race => results.Passed(NameOf(NotifierOmission.None, race.Name)));
        NotifierOmission[] needed = [.. Omissions.Where(omission => Races.Any(race => results.Violated(NameOf(omission, race.Name))))];
        NotifierOmission[] idle = [.. Omissions.Except(needed)];
        string text = !clean ? "today's code is not clean"
            : idle.Length == 0 ? "clean; each of the read section, the two waits and the order release-then-unlink is needed"
            : $"clean; not needed in these programs: {string.Join(", ", idle.Select(TextOf))}";
        string rcu = results[Rcu].Property == "P-atomic" ? "; under RCU a callback may not sleep" : "; RCU would do";
        return new SeedAnswer(clean ? SeedVerdict.Holds : SeedVerdict.Refuted, text + rcu) { Tables = [TableOf(results)] };
    }

    private static IEnumerable<NotifierOmission> Omissions => Enum.GetValues<NotifierOmission>()
        .Where(omission => omission is not (NotifierOmission.None or NotifierOmission.PlainRcu));

    private static SeedTable TableOf(SeedResults results) => new(
        "The end of a notifier",
        ["left out", .. Races.Select(race => race.Name)],
        [
            .. Omissions.Prepend(NotifierOmission.None).Select(omission => (IReadOnlyList<string>)
                [TextOf(omission), .. Races.Select(race => results[NameOf(omission, race.Name)].Cell)]),
        ]);

    private static string NameOf(NotifierOmission omission, string race) => $"{TextOf(omission)}: {race}";

    private static string TextOf(NotifierOmission omission) => omission switch
    {
        NotifierOmission.None => "nothing",
        NotifierOmission.ReadSection => "the read section",
        NotifierOmission.WaitOfUnregister => "unregister's wait",
        NotifierOmission.WaitOfExit => "the exit's wait",
        _ => "release before unlink",
    };
}
