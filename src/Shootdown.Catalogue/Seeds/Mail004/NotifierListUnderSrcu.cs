namespace Shootdown.Catalogue;

/// <summary>S004-10: the list of notifiers under SRCU.</summary>
public sealed class NotifierListUnderSrcu : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-10";

    /// <inheritdoc/>
    public override string Lines => "8, 12";

    /// <inheritdoc/>
    public override string Claim => "SRCU lets callbacks sleep and still keeps the subscription while they run";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        At the same time a thread calls the notifiers, the driver unregisters and frees its subscription, and the process exits. Asserted: no
        callback and no release after the free, release before the exit frees pages. The order of 6.1 (release, then off the list) and that of
        2012 (off the list, then release); each without the wait of unregister, without that of exit; and with RCU instead of SRCU.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        Nothing of this asks for the wait at the end of mmu_notifier_release() in the order of 6.1: who finds the list empty knows that
        release has run. With the order of 2012 it does not know, and pages are freed while release still runs.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        NotifierListModel.Run("6.1", new()),
        NotifierListModel.Run("6.1, unregister does not wait", new() { UnregisterWaits = false }),
        NotifierListModel.Run("6.1, exit does not wait", new() { ExitWaits = false }),
        NotifierListModel.Run("6.1, RCU", new() { Srcu = false }),
        NotifierListModel.Run("2012", new() { RemovesFirst = true }),
        NotifierListModel.Run("2012, unregister does not wait", new() { RemovesFirst = true, UnregisterWaits = false }),
        NotifierListModel.Run("2012, exit does not wait", new() { RemovesFirst = true, ExitWaits = false }),
        NotifierListModel.Run("2012, RCU", new() { RemovesFirst = true, Srcu = false }),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool safe = results.Passed("6.1") && results.Passed("2012");
        bool waits = results.Violated("6.1, unregister does not wait") && results.Violated("2012, unregister does not wait");
        bool rcu = results.Violated("6.1, RCU") && results.Violated("2012, RCU");
        string exit = (results.Violated("6.1, exit does not wait"), results.Violated("2012, exit does not wait")) switch
        {
            (true, true) => "so must exit",
            (false, true) => "exit must too if the list is left before release",
            (true, false) => "exit must too if release comes first",
            _ => "exit need not",
        };
        var table = new SeedTable(
            "Register, callback, exit",
            ["order", "as it is", "unregister does not wait", "exit does not wait", "RCU"],
            [Row("6.1"), Row("2012")]);
        return (safe, waits && rcu) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, $"no callback after unregister, release before pages are freed; unregister must wait, {exit}")
            { Tables = [table] },
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "safe with SRCU, but also with less") { Tables = [table] },
            _ => new SeedAnswer(SeedVerdict.Refuted, "not safe with SRCU either") { Tables = [table] },
        };

        string[] Row(string order) =>
        [
            order, results[order].Cell, results[$"{order}, unregister does not wait"].Cell,
            results[$"{order}, exit does not wait"].Cell, results[$"{order}, RCU"].Cell,
        ];
    }
}
