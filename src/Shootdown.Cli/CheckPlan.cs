using System.Globalization;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>One check that is about to run.</summary>
/// <param name="Invocation">How to ask for it again.</param>
/// <param name="Run">Runs it.</param>
internal sealed record PlannedCheck(CheckInvocation Invocation, Func<CheckOptions, CheckReport> Run);

/// <summary>
/// Expands a request into its checks. Every error in the request shows here, before the first check has taken its time.
/// </summary>
internal sealed class CheckPlan(CliHost host, CheckRequest request)
{
    /// <summary>The checks in the order in which they run: by scenario, the bug before the fix.</summary>
    /// <exception cref="UsageException">A scenario or a bound does not exist.</exception>
    public IReadOnlyList<PlannedCheck> Build()
    {
        var checks = new List<PlannedCheck>();
        var scenarios = new List<(string Target, Scenario Scenario)>();
        foreach ((string target, Scenario? scenario, string problem) in Selected())
        {
            if (scenario is null)
            {
                checks.Add(Unreadable(target, problem));
            }
            else if (!scenarios.Exists(known => ReferenceEquals(known.Scenario, scenario)))
            {
                scenarios.Add((target, scenario));
            }
        }

        if (scenarios.Count > 0)
        {
            request.Bounds.RequireKnown([.. scenarios.Select(selected => selected.Scenario)]);
        }

        foreach ((string target, Scenario scenario) in scenarios)
        {
            checks.AddRange(VariantNames.Selected(request.Variant).Select(variant => Plan(target, scenario, variant)));
        }

        return checks;
    }

    private IEnumerable<(string Target, Scenario? Scenario, string Problem)> Selected()
    {
        IReadOnlyList<Scenario> catalogue = host.Scenarios();
        var lookup = new ScenarioLookup(catalogue);
        if (request.All || request.Tags.Count > 0)
        {
            return (request.All ? catalogue : lookup.WithTags(request.Tags)).Select(s => (s.Id, (Scenario?)s, string.Empty));
        }

        return request.Targets.SelectMany(target => SingleFileScenario.IsFile(target) ? FromFile(target) : [(target, lookup.Find(target), string.Empty)])
            .Select(selected => selected with { Target = SingleFileScenario.IsFile(selected.Target) ? selected.Target : selected.Scenario!.Id });
    }

    private IEnumerable<(string Target, Scenario? Scenario, string Problem)> FromFile(string path)
    {
        ScenarioFile file = host.LoadFile(path);
        return file.Scenarios.Count == 0
            ? [(path, null, file.Reason)]
            : file.Scenarios.Select(scenario => (path, (Scenario?)scenario, string.Empty));
    }

    private PlannedCheck Plan(string target, Scenario scenario, Variant variant)
    {
        string model = request.Model ?? ModelNames.Of(scenario.Model);
        IReadOnlyDictionary<string, int> values = request.Bounds.ValuesFor(scenario);
        var invocation = new CheckInvocation(target, VariantNames.Of(variant), model, BoundRequest.Changed(scenario, values), request.Schedule is not null);
        if (ModelNames.Kind(model) is not { } kind)
        {
            return new PlannedCheck(invocation, _ => WithoutAnswer(scenario, invocation, values, Verdict.Unsupported,
                $"The memory model {model} does not exist yet; use {ModelNames.Sc} or {ModelNames.X86Tso}."));
        }

        var setup = new ScenarioSetup(variant, kind, TlbKind.Lagging, values);
        return new PlannedCheck(invocation, options =>
        {
            try
            {
                return host.Check(scenario, setup, options);
            }
            catch (OperationCanceledException)
            {
                return WithoutAnswer(scenario, invocation, values, Verdict.Inconclusive, "Interrupted before there was an answer.")
                    with { Expected = scenario.Expect(variant, kind) };
            }
        });
    }

    private PlannedCheck Unreadable(string path, string reason)
    {
        string model = request.Model ?? ModelNames.Sc;
        var report = new CheckReport
        {
            ScenarioId = path,
            Number = string.Empty,
            Title = string.Empty,
            Variant = request.Variant,
            Verdict = Verdict.Unsupported,
            Reason = reason,
            Model = model,
            Bounds = [],
            Stats = new ExplorationStats(),
            Coverage = [],
        };
        return new PlannedCheck(new CheckInvocation(path, request.Variant, model, []), _ => report);
    }

    private static CheckReport WithoutAnswer(
        Scenario scenario, CheckInvocation invocation, IReadOnlyDictionary<string, int> values, Verdict verdict, string reason) => new()
        {
            ScenarioId = scenario.Id,
            Number = scenario.Number,
            Title = scenario.Title,
            Variant = invocation.Variant,
            Verdict = verdict,
            Reason = reason,
            Model = invocation.Model,
            Bounds = [.. scenario.Parameters.Select(p => new Bound(p.Name, values[p.Name].ToString(CultureInfo.InvariantCulture)))],
            Stats = new ExplorationStats(),
            Coverage = [],
        };
}
