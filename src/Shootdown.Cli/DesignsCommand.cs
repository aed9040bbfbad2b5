using System.Diagnostics;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Compares flush designs on workloads.</summary>
internal sealed class DesignsCommand(CliHost host, DesignsRequest request)
{
    /// <summary>
    /// Runs it; returns the exit code: 1 only if a design that was asked for is not safe where Linux 6.12 is, or Linux 6.12 alone was asked for.
    /// </summary>
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
        bool named = request.Names.Count + request.Files.Count > 0;
        Dictionary<DesignWorkload, string> baseline = named ? PropertiesOfBaseline(results, options) : [];
        progress?.Clear();
        var report = new DesignReport(
            [.. results.Select(result => Entry(result, baseline))],
            (designs.Count * workloads.Count) - results.Count,
            named,
            clock.Elapsed.TotalSeconds,
            ShowsAll: request.Workload is not null || designs.All(IsBaseline));
        int exitCode = ExitCodeOf(report, results, designs);
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

    private static bool IsBaseline(FlushDesign design) => design == DesignList.Baseline;

    /// <summary>What Linux 6.12 violates on the workloads on which another design is not safe; checked here if it was not asked for.</summary>
    private static Dictionary<DesignWorkload, string> PropertiesOfBaseline(IReadOnlyList<DesignResult> results, CheckOptions options)
    {
        IEnumerable<DesignWorkload> asked = results.Where(result => !IsBaseline(result.Design) && result.Safety.Verdict == Verdict.Violation)
            .Select(result => result.Workload).Distinct();
        return asked.ToDictionary(
            workload => workload,
            workload => (results.FirstOrDefault(result => IsBaseline(result.Design) && result.Workload == workload)?.Safety
                ?? DesignRun.CheckSafety(DesignList.Baseline, workload, options with { Schedule = null, Workers = 1 })).Counterexample?.PropertyId ?? string.Empty);
    }

    private DesignEntry Entry(DesignResult result, Dictionary<DesignWorkload, string> baseline)
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
            new CheckInvocation(design.Id, "design", ModelNames.Sc, [], request.Schedule is not null) { OwnWords = words },
            AsBaseline: !IsBaseline(design) && result.Safety.Counterexample is { } found
                && baseline.GetValueOrDefault(result.Workload) == found.PropertyId);
    }

    /// <summary>What Linux 6.12 does wrong itself counts if nothing else was asked for.</summary>
    private static int ExitCodeOf(DesignReport report, IReadOnlyList<DesignResult> results, IReadOnlyList<FlushDesign> designs)
    {
        bool judgesBaseline = designs.All(IsBaseline);
        bool isUnsafe = report.IsInFull && report.Entries.Any(entry => entry.Safety.Verdict == Verdict.Violation
            && (judgesBaseline || (!entry.AsBaseline && entry.Design.Id != DesignList.Baseline.Id)));
        int open = ExitCode.Of([.. results.SelectMany(result => new[] { result.Safety, result.Costs })
            .Where(report => report.Verdict != Verdict.Violation)]);
        return isUnsafe ? ExitCode.Violation
            : open != ExitCode.Pass ? open
            : report.NotRun > 0 ? ExitCode.Inconclusive : ExitCode.Pass;
    }
}
