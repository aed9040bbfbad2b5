using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>An item with its answer.</summary>
/// <param name="Item">The item.</param>
/// <param name="Results">What its runs returned; runs that were not made are missing.</param>
/// <param name="Answer">The answer.</param>
public sealed record SeedReport(SeedItem Item, SeedResults Results, SeedAnswer Answer)
{
    /// <summary>True if the answer is what one would have expected.</summary>
    public bool AsExpected => Answer.Verdict == Item.Expected;

    /// <summary>States of all of its checks.</summary>
    public long States => Results.Runs.Sum(run => run.Report?.Stats.States ?? 0);

    /// <summary>Time of all of its checks, also of those that it shares with other items.</summary>
    public double CpuSeconds => Results.Runs.Sum(run => run.Report?.Stats.ElapsedSeconds ?? 0);
}

/// <summary>Answers items: every run once, several at a time.</summary>
public static class SeedBatch
{
    /// <summary>Runs and judges. Cancelled, it answers what it can.</summary>
    /// <param name="items">The items.</param>
    /// <param name="options">Limits for each run; the workers and the memory are for the whole batch.</param>
    /// <param name="progress">Told after every run, from any thread.</param>
    public static IReadOnlyList<SeedReport> Run(
        IReadOnlyList<SeedItem> items, CheckOptions options, IProgress<BatchProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(options);
        var runsOf = items.ToDictionary(item => item, item => item.Runs);
        SeedRun[] distinct = [.. runsOf.Values.SelectMany(runs => runs).DistinctBy(run => run.Key)];
        IReadOnlyList<SeedRunResult?> done = CheckBatch.Run(
            [.. distinct.Select(run => new Func<CheckOptions, SeedRunResult>(run.Run))], result => result.Report, options, progress);
        var results = distinct.Zip(done).Where(pair => pair.Second is not null).ToDictionary(pair => pair.First.Key, pair => pair.Second!);
        return [.. items.Select(item => Answer(item, runsOf[item], results))];
    }

    private static SeedReport Answer(SeedItem item, IReadOnlyList<SeedRun> runs, Dictionary<string, SeedRunResult> results)
    {
        var own = new SeedResults([.. runs.Where(run => results.ContainsKey(run.Key)).Select(run => results[run.Key] with { Name = run.Name })]);
        if (own.Runs.Count < runs.Count)
        {
            return new SeedReport(item, own, new SeedAnswer(SeedVerdict.Undecided, "interrupted before every run had ended"));
        }

        foreach (SeedRun run in runs.Where(run => run.MustDecide))
        {
            if (own[run.Name] is { Verdict: Verdict.Inconclusive or Verdict.Unsupported } open)
            {
                return new SeedReport(item, own, new SeedAnswer(SeedVerdict.Undecided, $"{run.Name}: {open.Report?.Reason}"));
            }
        }

        return new SeedReport(item, own, item.Judge(own));
    }
}
