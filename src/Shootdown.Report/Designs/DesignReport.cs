using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>Designs compared on workloads.</summary>
/// <param name="Entries">One for each design on each workload, by workload.</param>
/// <param name="NotRun">Pairs of a design and a workload that were not run.</param>
/// <param name="IsInFull">True if designs were asked for by name: then with their stories and with diagrams.</param>
/// <param name="ElapsedSeconds">Wall time.</param>
/// <param name="ShowsAll">False if what is not safe in <c>batched</c> either is named only, without a diagram.</param>
public sealed record DesignReport(
    IReadOnlyList<DesignEntry> Entries, int NotRun, bool IsInFull, double ElapsedSeconds, bool ShowsAll = true);

/// <summary>A design on a workload.</summary>
/// <param name="Design">The design.</param>
/// <param name="Workload">Id of the workload.</param>
/// <param name="WorkloadTitle">What the workload does.</param>
/// <param name="Safety">Whether it is safe.</param>
/// <param name="Costs">What it costs.</param>
/// <param name="Invocation">How to run it again.</param>
/// <param name="AsBaseline">True if it is not safe and Linux 6.12 (<c>batched</c>) violates the same property on the workload.</param>
public sealed record DesignEntry(
    DesignCard Design,
    string Workload,
    string WorkloadTitle,
    CheckReport Safety,
    CheckReport Costs,
    CheckInvocation Invocation,
    bool AsBaseline = false);

/// <summary>What a reader is told of a design.</summary>
/// <param name="Id">Short id.</param>
/// <param name="Title">One line.</param>
/// <param name="Year">Year.</param>
/// <param name="Source">Where it is described.</param>
/// <param name="Story">How it works.</param>
public sealed record DesignCard(string Id, string Title, int Year, string Source, string Story);
