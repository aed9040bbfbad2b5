using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Runs checks one after the other and writes each result as soon as it is there.</summary>
internal sealed class CheckCommand(CliHost host, CheckRequest request)
{
    private readonly List<(CheckReport Report, CheckInvocation Invocation)> _results = [];

    /// <summary>Runs all; returns the exit code.</summary>
    public int Run()
    {
        IReadOnlyList<PlannedCheck> plan = new CheckPlan(host, request).Build();
        using var interruption = new CancellationTokenSource();
        using IDisposable? listening = host.OnInterrupt(interruption.Cancel);
        foreach (PlannedCheck check in plan)
        {
            if (interruption.IsCancellationRequested)
            {
                break;
            }

            RunOne(check, interruption.Token);
        }

        int notRun = plan.Count - _results.Count;
        CheckReport[] reports = [.. _results.Select(result => result.Report)];
        int exitCode = interruption.IsCancellationRequested ? ExitCode.Inconclusive
            : request.Expect ? ExitCode.AgainstExpectations(reports)
            : ExitCode.Of(reports);
        WriteEnd(reports, notRun, exitCode, plan.Count > 1);
        return exitCode;
    }

    private void RunOne(PlannedCheck check, CancellationToken interrupted)
    {
        ProgressPrinter? progress = request.ShowsProgress
            ? new ProgressPrinter(host.Error, host.ErrorIsTerminal, $"{check.Invocation.Target} ({check.Invocation.Variant})")
            : null;
        CheckReport report;
        try
        {
            report = RunLimits.Exploring(() => check.Run(request.Options(host, interrupted) with { Progress = progress }));
        }
        finally
        {
            progress?.Clear();
        }

        CheckInvocation invocation = report.OneOfAll is not { } machine ? check.Invocation
            : check.Invocation with { ChangedBounds = [.. check.Invocation.ChangedBounds, machine] };
        _results.Add((report, invocation));
        if (!request.Json)
        {
            WriteText(report, invocation);
        }
    }

    private void WriteText(CheckReport report, CheckInvocation invocation)
    {
        if (_results.Count > 1 && request.Detail != CheckDetail.VerdictOnly)
        {
            host.Out.WriteLine();
        }

        CheckText.Write(report, invocation, request.Detail, host.Out);
        host.Out.Flush();
    }

    private void WriteEnd(IReadOnlyList<CheckReport> reports, int notRun, int exitCode, bool isSeveral)
    {
        if (request.Json)
        {
            ReportJson.WriteChecks(_results, notRun, exitCode, CommandLine.Version, host.Out);
        }
        else if (isSeveral)
        {
            host.Out.WriteLine();
            host.Out.WriteLines(Summary.Lines(reports, notRun));
        }
    }
}
