using System.Diagnostics;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Compares flush designs on workloads.</summary>
internal sealed class DesignsCommand(CliHost host, DesignsRequest request)
{
    /// <summary>Runs it; returns the exit code: 1 only if a design that was asked for is not safe.</summary>
    public int Run()
    {
        SingleFileTypes[] files = [.. request.Files.Select(host.LoadTypes)];
        if (files.FirstOrDefault(file => file.Reason.Length > 0) is { } unreadable)
        {
            host.Error.WriteLine($"shootdown: {unreadable.Reason}");
            return ExitCode.Unsupported;
        }

        IReadOnlyList<FlushDesign> designs = Designs(files);
        IReadOnlyList<DesignWorkload> workloads = Workloads(files);
        if (request.Schedule is not null && (designs.Count != 1 || workloads.Count != 1))
        {
            throw new UsageException("--schedule replays one run: give one design and --workload");
        }

        using var interruption = new CancellationTokenSource();
        using IDisposable? listening = host.OnInterrupt(interruption.Cancel);
        BatchProgressPrinter? progress = request.Progress(host, "checks");
        var clock = Stopwatch.StartNew();
        CheckOptions options = request.BatchOptions(host, interruption.Token);
        IReadOnlyList<DesignResult> results = RunLimits.Exploring(() => DesignRun.Run(designs, workloads, options, progress));
        progress?.Clear();
        bool named = request.Names.Count + request.Files.Count > 0;
        var report = new DesignReport(
            [.. results.Select(Entry)], (designs.Count * workloads.Count) - results.Count, named, clock.Elapsed.TotalSeconds);
        int exitCode = ExitCodeOf(results, report.NotRun, named);
        if (request.Json)
        {
            ReportJson.WriteDesigns(report, exitCode, CommandLine.Version, host.Out);
        }
        else
        {
            DesignText.Write(report, request.Detail, host.Out);
        }

        return exitCode;
    }

    private IReadOnlyList<FlushDesign> Designs(SingleFileTypes[] files)
    {
        FlushDesign[] own = [.. files.SelectMany(file => file.InstancesOf<FlushDesign>())];
        FlushDesign[] known = [.. own, .. DesignList.Designs];
        foreach (SingleFileTypes file in files.Where(file => file.InstancesOf<FlushDesign>().Count == 0
            && file.InstancesOf<DesignWorkload>().Count == 0))
        {
            throw new UsageException(
                $"{file.Path} has no class that derives from {nameof(FlushDesign)} or {nameof(DesignWorkload)}", "docs/designs.md");
        }

        FlushDesign[] named = [.. request.Names.Select(name => known.FirstOrDefault(design => Same(design.Id, name))
            ?? throw new UsageException(
                $"there is no design '{name}'{ScenarioLookup.DidYouMean(name, known.Select(design => design.Id))}", "./shootdown designs"))];
        return (own.Length + named.Length) == 0 ? DesignList.Designs : [.. own, .. named];
    }

    private IReadOnlyList<DesignWorkload> Workloads(SingleFileTypes[] files)
    {
        DesignWorkload[] known = [.. files.SelectMany(file => file.InstancesOf<DesignWorkload>()), .. DesignList.Workloads];
        return request.Workload is not { } name ? known : [known.FirstOrDefault(workload => Same(workload.Id, name))
            ?? throw new UsageException(
                $"there is no workload '{name}'{ScenarioLookup.DidYouMean(name, known.Select(workload => workload.Id))}", "./shootdown designs")];
    }

    private static bool Same(string left, string right) => string.Equals(left, right, StringComparison.OrdinalIgnoreCase);

    private DesignEntry Entry(DesignResult result)
    {
        FlushDesign design = result.Design;
        string[] words =
        [
            "./shootdown designs "
                + (DesignList.Designs.Contains(design) ? design.Id : string.Join(' ', request.Files.Select(CheckInvocation.Quoted))),
            $"--workload {result.Workload.Id}",
        ];
        return new DesignEntry(
            new DesignCard(design.Id, design.Title, design.Year, design.Source, design.Story),
            result.Workload.Id,
            result.Workload.Title,
            result.Safety,
            result.Costs,
            new CheckInvocation(design.Id, "design", ModelNames.Sc, [], request.Schedule is not null) { OwnWords = words });
    }

    private static int ExitCodeOf(IReadOnlyList<DesignResult> results, int notRun, bool named)
    {
        int open = ExitCode.Of([.. results.SelectMany(result => new[] { result.Safety, result.Costs })
            .Where(report => report.Verdict != Verdict.Violation)]);
        return named && results.Any(result => result.Safety.Verdict == Verdict.Violation) ? ExitCode.Violation
            : open != ExitCode.Pass ? open
            : notRun > 0 ? ExitCode.Inconclusive : ExitCode.Pass;
    }
}
