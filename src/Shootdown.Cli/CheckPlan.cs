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
        var selected = new List<Selection>();
        foreach (Selection selection in Select())
        {
            if (selection.Scenario is null)
            {
                checks.Add(Unreadable(selection));
            }
            else if (!selected.Exists(known => ReferenceEquals(known.Scenario, selection.Scenario)))
            {
                selected.Add(selection);
            }
        }

        if (selected.Count > 0)
        {
            request.Bounds.RequireKnown([.. selected.Select(selection => selection.Scenario!)]);
        }

        foreach (Selection selection in selected)
        {
            checks.AddRange(VariantsOf(selection.Scenario!)
                .Select(variant => Plan(selection.Target, selection.Scenario!, variant)));
        }

        return checks.Count > 0
            ? checks
            : throw new UsageException($"none of these scenarios has a variant '{request.Variant}'");
    }

    private List<Selection> Select()
    {
        IReadOnlyList<Scenario> catalogue = host.Scenarios();
        var lookup = new ScenarioLookup(catalogue);
        if (request.All || request.Tags.Count > 0)
        {
            return [.. (request.All ? catalogue : lookup.WithTags(request.Tags)).Select(Of)];
        }

        var selections = new List<Selection>();
        foreach (string target in request.Targets)
        {
            if (!SingleFileScenario.IsFile(target))
            {
                selections.Add(Of(lookup.Find(target)));
                continue;
            }

            ScenarioFile file = host.LoadFile(target);
            selections.AddRange(file.Scenarios.Count == 0
                ? [new Selection(target, null, file.Reason)]
                : file.Scenarios.Select(scenario => new Selection(target, scenario, string.Empty)));
        }

        return selections;

        static Selection Of(Scenario scenario) => new(scenario.Id, scenario, string.Empty);
    }

    /// <summary>A scenario that was named must have the variant; of many, those that have it are checked.</summary>
    private IReadOnlyList<Variant> VariantsOf(Scenario scenario)
    {
        IReadOnlyList<Variant> variants = VariantNames.Selected(scenario, request.Variant);
        return variants.Count > 0 || request.Targets.Count == 0
            ? variants
            : throw new UsageException($"{scenario.Id} has no variant '{request.Variant}'; it has "
                + string.Join(" and ", scenario.Variants.Select(VariantNames.Of)));
    }

    private PlannedCheck Plan(string target, Scenario scenario, Variant variant)
    {
        string model = request.Model ?? ModelNames.Of(scenario.Model);
        IReadOnlyDictionary<string, int> values = request.Bounds.ValuesFor(scenario);
        IReadOnlyList<Bound> changed = BoundRequest.Changed(scenario, values);
        var invocation = new CheckInvocation(target, VariantNames.Of(variant), model, changed, request.Schedule is not null)
        {
            // The command knows the options of its catalogue, not those that a file declares.
            ShortBounds = SingleFileScenario.IsFile(target) ? CommandTree.CommonBounds : request.ShortBounds,
        };
        if (ModelNames.Kind(model) is not { } kind)
        {
            string reason = $"The memory model {model} does not exist yet; use {ModelNames.Sc} or {ModelNames.X86Tso}.";
            return new PlannedCheck(invocation, _ => WithoutAnswer(scenario, invocation, values, Verdict.Unsupported, reason));
        }

        var setup = new ScenarioSetup(variant, kind, TlbKind.Lagging, values);
        return new PlannedCheck(invocation, options =>
        {
            try
            {
                CheckReport report = host.Check(scenario, setup, options);
                return request.Cost ? host.CountCosts(report, scenario, setup, options) : report;
            }
            catch (OperationCanceledException)
            {
                const string Reason = "Interrupted before there was an answer.";
                CheckReport stopped = WithoutAnswer(scenario, invocation, values, Verdict.Inconclusive, Reason);
                return stopped with { Expected = scenario.Expect(variant, kind) };
            }
        });
    }

    private PlannedCheck Unreadable(Selection file)
    {
        string model = request.Model ?? ModelNames.Sc;
        var report = new CheckReport
        {
            ScenarioId = file.Target,
            Number = string.Empty,
            Title = string.Empty,
            Variant = request.Variant,
            Verdict = Verdict.Unsupported,
            Reason = file.Problem,
            Model = model,
            Bounds = [],
            Stats = new ExplorationStats(),
            Coverage = [],
        };
        return new PlannedCheck(new CheckInvocation(file.Target, request.Variant, model, []), _ => report);
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

    /// <summary>What one word of the command line means: a scenario, or a file that has none that can be run.</summary>
    private sealed record Selection(string Target, Scenario? Scenario, string Problem);
}
