using System.Diagnostics;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Answers the items of the seed mails.</summary>
internal sealed class SeedsCommand(CliHost host, SeedsRequest request)
{
    /// <summary>Writes a line for every item, without running anything.</summary>
    public static int List(TextWriter writer)
    {
        foreach (SeedItem item in SeedList.All)
        {
            writer.WriteLine($"{item.Id}  {item.Claim}");
        }

        return ExitCode.Pass;
    }

    /// <summary>Runs it; returns the exit code: 0 if every item has an answer.</summary>
    public int Run()
    {
        using var interruption = new CancellationTokenSource();
        using IDisposable? listening = host.OnInterrupt(interruption.Cancel);
        BatchProgressPrinter? progress = request.Progress(host, "runs");
        var clock = Stopwatch.StartNew();
        IReadOnlyList<SeedReport> reports = Reports(progress, interruption.Token);
        progress?.Clear();
        double elapsed = clock.Elapsed.TotalSeconds;
        SeedEntry[] entries = [.. reports.Select(Entry)];
        int exitCode = entries.Any(entry => entry.Verdict == Word(SeedVerdict.Undecided)) ? ExitCode.Inconclusive : ExitCode.Pass;
        if (request.Json)
        {
            ReportJson.WriteSeeds(entries, elapsed, exitCode, CommandLine.Version, host.Out);
        }
        else if (entries.Length == 1)
        {
            SeedRunEntry? run = request.Run is { } name ? entries[0].Runs.FirstOrDefault(each => each.Name == name) : null;
            SeedsText.WriteItem(entries[0], run, request.Detail, host.Out);
        }
        else
        {
            SeedsText.WriteList(entries, elapsed, host.Out);
        }

        return exitCode;
    }

    private IReadOnlyList<SeedReport> Reports(BatchProgressPrinter? progress, CancellationToken interrupted)
    {
        CheckOptions options = request.BatchOptions(host, interrupted);
        IReadOnlyList<SeedItem> items = request.Items;
        if (request.Run is not { } name)
        {
            return SeedBatch.Run(items, options, progress);
        }

        SeedRun run = items[0].Runs.FirstOrDefault(each => each.Name == name) ?? throw new UsageException(
            $"{items[0].Id} has no run '{name}'; it has {string.Join(", ", items[0].Runs.Select(each => $"'{each.Name}'"))}");
        var answer = new SeedAnswer(SeedVerdict.Depends, "one run only");
        return [new SeedReport(items[0], new SeedResults([RunLimits.Exploring(() => run.Run(options))]), answer)];
    }

    private SeedEntry Entry(SeedReport report) => new()
    {
        Id = report.Item.Id,
        Lines = report.Item.Lines,
        Claim = report.Item.Claim,
        Experiment = report.Item.Experiment,
        Verdict = Word(report.Answer.Verdict),
        Expected = Word(report.Item.Expected),
        Answer = report.Answer.Text,
        Remark = report.Item.Remark,
        Runs = [.. report.Results.Runs.Select(run => RunEntry(report.Item, run))],
        Tables = [.. report.Answer.Tables.Select(table => new SeedTableEntry(table.Title, table.Columns, table.Rows))],
    };

    private SeedRunEntry RunEntry(SeedItem item, SeedRunResult run)
    {
        CheckInvocation? invocation = run.Report is null ? null : new CheckInvocation(item.Id, "seed", run.Report.Model, [], request.Schedule is not null)
        {
            OwnWords = run.Command.Length > 0
                ? [run.Command]
                : [$"./shootdown seeds {item.Id}", $"--run {CheckInvocation.Quoted(run.Name)}"],
        };
        return new SeedRunEntry(run.Name, run.Cell, run.Report, invocation, run.Facts);
    }

    private static string Word(SeedVerdict verdict) => verdict.ToString().ToLowerInvariant();
}
