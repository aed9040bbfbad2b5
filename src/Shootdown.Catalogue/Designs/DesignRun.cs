using Shootdown.Check;
using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>A design on a workload: whether it is safe, and what it costs.</summary>
/// <param name="Design">The design.</param>
/// <param name="Workload">The workload.</param>
/// <param name="Safety">The check of the workload's properties.</param>
/// <param name="Costs">The exploration that counted, without properties; its <see cref="CheckReport.Costs"/> are exact if it passed.</param>
public sealed record DesignResult(FlushDesign Design, DesignWorkload Workload, CheckReport Safety, CheckReport Costs);

/// <summary>Runs designs on workloads.</summary>
public static class DesignRun
{
    /// <summary>Runs every design on every workload; what a cancelled run did not come to is missing.</summary>
    /// <param name="designs">The designs.</param>
    /// <param name="workloads">The workloads.</param>
    /// <param name="options">Limits for each check; the workers and the memory are for the whole run.</param>
    /// <param name="progress">Told after every check, from any thread.</param>
    public static IReadOnlyList<DesignResult> Run(
        IReadOnlyList<FlushDesign> designs,
        IReadOnlyList<DesignWorkload> workloads,
        CheckOptions options,
        IProgress<BatchProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(designs);
        ArgumentNullException.ThrowIfNull(workloads);
        (FlushDesign Design, DesignWorkload Workload)[] cells =
            [.. workloads.SelectMany(workload => designs.Select(design => (design, workload)))];
        IReadOnlyList<CheckReport?> reports = CheckBatch.Run(
            [
                .. cells.Select(cell => new Func<CheckOptions, CheckReport>(each => CheckSafety(cell.Design, cell.Workload, each))),
                .. cells.Select(cell => new Func<CheckOptions, CheckReport>(each => CountCosts(cell.Design, cell.Workload, each))),
            ],
            options,
            progress);
        return
        [
            .. cells.Select((cell, i) => (cell, Safety: reports[i], Costs: reports[i + cells.Length]))
                .Where(done => done.Safety is not null && done.Costs is not null)
                .Select(done => new DesignResult(done.cell.Design, done.cell.Workload, done.Safety!, done.Costs!)),
        ];
    }

    /// <summary>Is it safe?</summary>
    public static CheckReport CheckSafety(FlushDesign design, DesignWorkload workload, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(design);
        ArgumentNullException.ThrowIfNull(workload);
        return Checker.Check(Subject(design, workload), () => workload.BuildForSafety(design), options);
    }

    /// <summary>What does it cost?</summary>
    public static CheckReport CountCosts(FlushDesign design, DesignWorkload workload, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(design);
        ArgumentNullException.ThrowIfNull(workload);
        return Checker.Check(Subject(design, workload), () => workload.BuildForCosts(design), options with { Schedule = null });
    }

    private static CheckSubject Subject(FlushDesign design, DesignWorkload workload)
        => new($"{design.Id} on {workload.Id}", string.Empty, workload.Title, "design", null, []);
}
