using System.Globalization;
using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>One run of an item: a check, or something that is computed otherwise.</summary>
public sealed class SeedRun
{
    private readonly Func<CheckOptions, SeedRunResult> _run;

    private SeedRun(string name, string key, Func<CheckOptions, SeedRunResult> run)
    {
        Name = name;
        Key = key;
        _run = run;
    }

    /// <summary>Name in the item.</summary>
    public string Name { get; }

    /// <summary>Runs with the same key are the same run, and are done once for all items.</summary>
    public string Key { get; }

    /// <summary>False if the item can be answered although the run did not end: its judge must look.</summary>
    public bool MustDecide { get; init; } = true;

    /// <summary>A variant of a scenario of the catalogue, at its size or with some bounds changed.</summary>
    /// <exception cref="ArgumentException">There is no such scenario or bound.</exception>
    public static SeedRun OfScenario(string name, string scenarioId, Variant variant, params (string Name, int Value)[] bounds)
        => OfScenario(name, scenarioId, variant, null, bounds);

    /// <summary>The same under a memory model; that of the scenario if null.</summary>
    /// <exception cref="ArgumentException">There is no such scenario or bound.</exception>
    public static SeedRun OfScenario(
        string name, string scenarioId, Variant variant, Machine.MemoryModelKind? model, params (string Name, int Value)[] bounds)
    {
        Scenario scenario = ScenarioList.Find(scenarioId)
            ?? throw new ArgumentException($"there is no scenario {scenarioId}", nameof(scenarioId));
        ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, variant, model ?? scenario.Model, bounds);
        string command = $"./shootdown check {scenario.Id} --variant {(variant == Variant.Bug ? "bug" : "fix")}"
            + string.Concat(bounds.Select(bound => $" --bound {bound.Name}={bound.Value}"))
            + (model is { } kind && kind != scenario.Model ? $" --model {(kind == Machine.MemoryModelKind.Sc ? "sc" : "x86-tso")}" : string.Empty);
        return new SeedRun(name, command, options => SeedRunResult.Of(name, ScenarioCheck.Run(scenario, setup, options)) with { Command = command });
    }

    /// <summary>What the runs of a variant of a scenario cost.</summary>
    /// <exception cref="ArgumentException">There is no such scenario or bound.</exception>
    public static SeedRun OfScenarioCosts(string name, string scenarioId, Variant variant, params (string Name, int Value)[] bounds)
    {
        Scenario scenario = ScenarioList.Find(scenarioId)
            ?? throw new ArgumentException($"there is no scenario {scenarioId}", nameof(scenarioId));
        ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, variant, scenario.Model, bounds);
        string command = $"./shootdown check {scenario.Id} --variant {(variant == Variant.Bug ? "bug" : "fix")} --cost"
            + string.Concat(bounds.Select(bound => $" --bound {bound.Name}={bound.Value}"));
        SeedRun run = OfModel(name, command, () => scenario.Build(setup).ForCosts());
        return new SeedRun(name, command, options => run.Run(options) with { Command = command });
    }

    /// <summary>A machine of the matrix of operations.</summary>
    /// <param name="name">Name in the item.</param>
    /// <param name="cell">The machine.</param>
    /// <param name="setup">The kernel; null for the correct core. Its name is part of the key.</param>
    public static SeedRun OfPair(string name, PairCell cell, PairSetup? setup = null)
    {
        ArgumentNullException.ThrowIfNull(cell);
        PairSetup kernel = setup ?? new PairSetup();
        string command = setup is null
            ? $"./shootdown pairs {string.Join(' ', cell.Operations.Select(operation => operation.Id))} --machine {cell.Machine}"
            : string.Empty;
        return new SeedRun(
            name,
            $"pairs {kernel.Name}: {cell.Name}",
            options => SeedRunResult.Of(name, PairRun.Check(cell, kernel, options)) with { Command = command });
    }

    /// <summary>Machines of the matrix, one after the other until one shows a violation: the result is that of the last one that was run.</summary>
    /// <param name="name">Name in the item.</param>
    /// <param name="cells">The machines, at least one, all of the same operations.</param>
    /// <param name="setup">The kernel. Its name is part of the key.</param>
    /// <exception cref="ArgumentException">There are no machines.</exception>
    public static SeedRun OfFirstPair(string name, IReadOnlyList<PairCell> cells, PairSetup setup)
    {
        ArgumentNullException.ThrowIfNull(cells);
        ArgumentNullException.ThrowIfNull(setup);
        return cells.Count == 0
            ? throw new ArgumentException("a run needs a machine", nameof(cells))
            : new SeedRun(
                name, $"pairs {setup.Name}: {string.Join("; ", cells.Select(cell => cell.Name))}", options => RunFirst(name, cells, setup, options));
    }

    /// <summary>A model that is made for the question.</summary>
    /// <param name="name">Name in the item.</param>
    /// <param name="key">Unique over all items: what tells the model from others, e.g. <c>ttu primary=ptl secondary=none</c>.</param>
    /// <param name="build">Builds it.</param>
    public static SeedRun OfModel(string name, string key, Func<CheckModel> build)
    {
        var subject = new CheckSubject(key, string.Empty, name, "seed", null, []);
        return new SeedRun(name, key, options => SeedRunResult.Of(name, Checker.Check(subject, build, options)));
    }

    /// <summary>Something that is no check: an analysis of the library, an enumeration. It decides if it returns.</summary>
    /// <param name="name">Name in the item.</param>
    /// <param name="key">Unique over all items.</param>
    /// <param name="compute">Returns lines of facts.</param>
    public static SeedRun OfFacts(string name, string key, Func<IReadOnlyList<string>> compute)
    {
        ArgumentNullException.ThrowIfNull(compute);
        return new SeedRun(name, key, _ => new SeedRunResult { Name = name, Verdict = Verdict.Pass, Facts = compute() });
    }

    private static SeedRunResult RunFirst(string name, IReadOnlyList<PairCell> cells, PairSetup setup, CheckOptions options)
    {
        SeedRunResult? last = null;
        foreach (PairCell cell in cells)
        {
            last = SeedRunResult.Of(name, PairRun.Check(cell, setup, options));
            if (last.Verdict != Verdict.Pass)
            {
                break;
            }
        }

        return last!;
    }

    /// <summary>Runs it.</summary>
    public SeedRunResult Run(CheckOptions options) => _run(options);
}

/// <summary>What a run returned.</summary>
public sealed record SeedRunResult
{
    /// <summary>Name of the run in the item.</summary>
    public required string Name { get; init; }

    /// <summary>The verdict of a check; pass for what is no check.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>The check; null for what is none.</summary>
    public CheckReport? Report { get; init; }

    /// <summary>Facts of a run that is no check.</summary>
    public IReadOnlyList<string> Facts { get; init; } = [];

    /// <summary>How to repeat it on the command line; empty if it can only be repeated with its item.</summary>
    public string Command { get; init; } = string.Empty;

    /// <summary>The property that was violated; empty if none was.</summary>
    public string Property => Report?.Counterexample?.PropertyId ?? string.Empty;

    /// <summary>For a table: <c>safe</c>, or the violated property, or why there is no answer.</summary>
    public string Cell => Verdict switch
    {
        Verdict.Pass => "safe",
        Verdict.Violation => Property,
        _ => Verdict.ToString().ToLower(CultureInfo.InvariantCulture),
    };

    /// <summary>The result of a check.</summary>
    public static SeedRunResult Of(string name, CheckReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return new SeedRunResult { Name = name, Verdict = report.Verdict, Report = report };
    }
}
