using System.Globalization;
using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>A scenario with a parameter whose value stands for all others (<see cref="ScenarioParameter.All"/>): a machine for each.</summary>
internal static class ScenarioSweep
{
    /// <summary>The parameter, if it has that value; else null.</summary>
    internal static ScenarioParameter? ParameterOf(Scenario scenario, ScenarioSetup setup)
        => scenario.Parameters.FirstOrDefault(parameter => parameter.All == setup[parameter.Name]);

    /// <summary>
    /// Checks machine after machine. The answer is that of the first that violates, else of the first without an answer, else a pass of all;
    /// its numbers are sums.
    /// </summary>
    /// <exception cref="ScheduleException">A schedule is given, which is one machine's.</exception>
    internal static CheckReport Run(Scenario scenario, ScenarioSetup setup, ScenarioParameter swept, CheckOptions options)
    {
        if (options.Schedule is not null)
        {
            throw new ScheduleException($"a schedule is that of one machine: say which, {swept.Name}={swept.Minimum} to {swept.All - 1}");
        }

        var reports = new List<CheckReport>();
        CheckReport? undecided = null;
        for (int value = swept.Minimum; value < swept.All; value++)
        {
            var values = new Dictionary<string, int>(setup.Values) { [swept.Name] = value };
            CheckReport report = ScenarioCheck.Run(scenario, setup with { Values = values }, Rest(options, reports));
            reports.Add(report);
            var machine = new Bound(swept.Name, value.ToString(CultureInfo.InvariantCulture));
            if (report.Verdict == Verdict.Violation)
            {
                return Sum(reports) with { OneOfAll = machine };
            }

            undecided ??= report.Verdict == Verdict.Pass ? null : report with { OneOfAll = machine };
        }

        CheckReport sum = Sum(reports);
        sum = sum with { Bounds = [.. sum.Bounds.Select(bound => bound.Name == swept.Name ? bound with { Value = $"all {reports.Count}" } : bound)] };
        string? idle = scenario.MustExerciseInAll.FirstOrDefault(id => sum.Coverage.All(judged => judged.PropertyId != id || judged.TimesExercised == 0));
        return undecided is not null ? undecided with { Stats = sum.Stats with { Exhaustive = false } }
            : idle is null ? sum
            : sum with
            {
                Verdict = Verdict.Inconclusive,
                Reason = $"{idle} had nothing to judge on any machine: the programs do not exercise what is checked",
                Stats = sum.Stats with { Exhaustive = false },
            };
    }

    /// <summary>The time that is left.</summary>
    private static CheckOptions Rest(CheckOptions options, List<CheckReport> done) => options.Time is not { } time ? options
        : options with { Time = TimeSpan.FromSeconds(Math.Max(0, time.TotalSeconds - done.Sum(report => report.Stats.ElapsedSeconds))) };

    /// <summary>The last report, with the numbers of all.</summary>
    private static CheckReport Sum(List<CheckReport> reports) => reports[^1] with
    {
        Stats = reports[^1].Stats with
        {
            States = reports.Sum(report => report.Stats.States),
            Transitions = reports.Sum(report => report.Stats.Transitions),
            Executions = reports.Sum(report => report.Stats.Executions),
            RandomRuns = reports.Sum(report => report.Stats.RandomRuns),
            DepthMax = reports.Max(report => report.Stats.DepthMax),
            ElapsedSeconds = reports.Sum(report => report.Stats.ElapsedSeconds),
            TableBytes = reports.Max(report => report.Stats.TableBytes),
            Reduced = reports.Any(report => report.Stats.Reduced),
        },
        Coverage =
        [
            .. reports.SelectMany(report => report.Coverage).GroupBy(coverage => coverage.PropertyId)
                .Select(group => group.First() with { TimesExercised = group.Sum(coverage => coverage.TimesExercised) }),
        ],
    };
}
