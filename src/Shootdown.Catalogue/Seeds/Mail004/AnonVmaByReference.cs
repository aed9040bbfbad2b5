namespace Shootdown.Catalogue;

/// <summary>S004-09: a reference instead of a sleeping anon_vma lock.</summary>
public sealed class AnonVmaByReference : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-09";

    /// <inheritdoc/>
    public override string Lines => "36-37";

    /// <inheritdoc/>
    public override string Claim => "the anon_vma lock may stay a spinlock if a reference count keeps the anon_vma instead";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A reclaim walks an anon_vma and calls a notifier that sleeps, while the last process that uses it exits. In between the walk holds the
        spinlock, nothing, a reference, or a lock that sleeps. Judged: sleeping in atomic context, and use of a freed anon_vma.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        AnonVmaLifetimeModel.Run("spinlock", AnonVmaKeeping.Spinlock),
        AnonVmaLifetimeModel.Run("nothing", AnonVmaKeeping.Nothing),
        AnonVmaLifetimeModel.Run("reference", AnonVmaKeeping.Reference),
        AnonVmaLifetimeModel.Run("sleeping lock", AnonVmaKeeping.SleepingLock),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool needed = results.Violated("spinlock") && results.Violated("nothing");
        var table = new SeedTable(
            "What the walk holds while the notifier sleeps", ["held", "result"], [.. results.Runs.Select(run => new[] { run.Name, run.Cell })]);
        return (results.Passed("reference"), needed) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "a reference is enough, as is a lock that sleeps; with neither the anon_vma is freed under the walk")
            { Tables = [table] },
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "a reference is enough, but less is too") { Tables = [table] },
            _ => new SeedAnswer(SeedVerdict.Refuted, "a reference is not enough") { Tables = [table] },
        };
    }
}
