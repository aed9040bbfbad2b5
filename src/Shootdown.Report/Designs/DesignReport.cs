using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>Designs compared on workloads.</summary>
/// <param name="Entries">One for each design on each workload, by workload.</param>
/// <param name="NotRun">Pairs of a design and a workload that were not run.</param>
/// <param name="IsInFull">True if designs were asked for by name: then with their stories and with diagrams.</param>
/// <param name="ElapsedSeconds">Wall time.</param>
public sealed record DesignReport(IReadOnlyList<DesignEntry> Entries, int NotRun, bool IsInFull, double ElapsedSeconds);

/// <summary>A design on a workload.</summary>
/// <param name="Design">The design.</param>
/// <param name="Workload">Id of the workload.</param>
/// <param name="WorkloadTitle">What the workload does.</param>
/// <param name="Safety">Whether it is safe.</param>
/// <param name="Costs">What it costs.</param>
/// <param name="Invocation">How to run it again.</param>
public sealed record DesignEntry(
    DesignCard Design, string Workload, string WorkloadTitle, CheckReport Safety, CheckReport Costs, CheckInvocation Invocation);

/// <summary>What a reader is told of a design.</summary>
/// <param name="Id">Short id.</param>
/// <param name="Title">One line.</param>
/// <param name="Year">Year.</param>
/// <param name="Source">Where it is described.</param>
/// <param name="Story">How it works.</param>
public sealed record DesignCard(string Id, string Title, int Year, string Source, string Story);
