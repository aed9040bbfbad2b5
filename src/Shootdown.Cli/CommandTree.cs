using System.CommandLine;
using Shootdown.Catalogue;

namespace Shootdown.Cli;

/// <summary>
/// The grammar of the command line. Values stay text here: <see cref="CheckRequest"/> reads them, so that every error is
/// worded by us.
/// </summary>
internal sealed class CommandTree
{
    /// <summary>Bounds that most scenarios have and that are worth an error of their own where one has not.</summary>
    public static readonly IReadOnlyList<string> CommonBounds = ["cpus", "pages"];

    private readonly HashSet<string> _takenNames = [];

    public CommandTree(IReadOnlyList<Scenario> scenarios)
    {
        Root = new RootCommand("Checks races between page tables and TLBs.") { TreatUnmatchedTokensAsErrors = false };
        Root.Options.Clear();
        Root.Directives.Clear();
        Root.Add(Help);
        Root.Add(Version);
        Help.Recursive = true;

        Add(List, Tags, Json);
        Add(Explain, Json);
        Explain.Add(Ids);
        Add(Check, All, Tags, VariantName, Model, Bounds, Memory, Time, Workers, NoReduction, Json, Quiet, Schedule, Trace, Expect, Cost, Random, Seed);
        Check.Add(Ids);
        Add(Pairs, Bug, Patch, Triples, Operations, Machine, Model, Memory, Time, Workers, NoReduction, Json, Quiet, Schedule, Trace);
        Pairs.Add(Ids);
        Add(Seeds, ListOnly, RunName, Memory, Time, Workers, Json, Quiet, Schedule, Trace);
        Seeds.Add(Ids);
        Add(Paths, To, From, Spinlocks, Json);
        Add(Replay, Pid, Comm, Kernel, NoSwap, Thp, Policy, Costs, Json, Html, TraceOut);
        Replay.Add(Ids);
        Add(Record, Pid, Seconds, Out, Buffer);
        Record.Add(Ids);
        Add(Calibrate, Out);
        Add(Fidelity, Json);
        Fidelity.Add(Ids);
        Add(Designs, Workload, Memory, Time, Workers, NoReduction, Json, Quiet, Schedule, Trace);
        Designs.Add(Ids);
        AddMeasure();
        BoundOptions = [.. CommonBounds.Concat(scenarios.SelectMany(s => s.Parameters).Select(p => p.Name)).Distinct()
            .Where(name => !_takenNames.Contains("--" + name)).Select(name => new Option<string>("--" + name))];
        foreach (Option<string> bound in BoundOptions)
        {
            Check.Add(bound);
        }
    }

    public RootCommand Root { get; }

    public Command List { get; } = new("list") { TreatUnmatchedTokensAsErrors = false };

    public Command Explain { get; } = new("explain") { TreatUnmatchedTokensAsErrors = false };

    public Command Check { get; } = new("check") { TreatUnmatchedTokensAsErrors = false };

    public Command Pairs { get; } = new("pairs") { TreatUnmatchedTokensAsErrors = false };

    public Command Seeds { get; } = new("seeds") { TreatUnmatchedTokensAsErrors = false };

    public Option<bool> ListOnly { get; } = Flag("--list");

    public Option<string> RunName { get; } = new("--run");

    public Command Paths { get; } = new("paths") { TreatUnmatchedTokensAsErrors = false };

    public Command Replay { get; } = new("replay") { TreatUnmatchedTokensAsErrors = false };

    public Command Record { get; } = new("record") { TreatUnmatchedTokensAsErrors = false };

    public Command Calibrate { get; } = new("calibrate") { TreatUnmatchedTokensAsErrors = false };

    public Command Fidelity { get; } = new("fidelity") { TreatUnmatchedTokensAsErrors = false };

    public Command Designs { get; } = new("designs") { TreatUnmatchedTokensAsErrors = false };

    public Command Measure { get; } = new("measure") { TreatUnmatchedTokensAsErrors = false };

    public Option<bool> Help { get; } = Flag("--help", "-h", "-?");

    public Option<bool> Version { get; } = Flag("--version");

    public Option<bool> Json { get; } = Flag("--json");

    public Option<bool> Quiet { get; } = Flag("--quiet", "-q");

    public Option<bool> All { get; } = Flag("--all");

    public Option<bool> NoReduction { get; } = Flag("--no-reduction");

    public Option<bool> Expect { get; } = Flag("--expect");

    public Option<bool> Cost { get; } = Flag("--cost");

    public Option<string> Random { get; } = new("--random");

    public Option<string[]> Tags { get; } = Many("--tag");

    public Option<string[]> Bounds { get; } = Many("--bound");

    public Option<string> Bug { get; } = new("--bug");

    /// <summary>--patch.</summary>
    public Option<string> Patch { get; } = new("--patch");

    public Option<string> To { get; } = new("--to");

    public Option<string[]> From { get; } = Many("--from");

    public Option<string[]> Spinlocks { get; } = Many("--spinlock");

    public Option<bool> Triples { get; } = Flag("--triples");

    public Option<bool> Operations { get; } = Flag("--operations");

    public Option<string> Machine { get; } = new("--machine");

    public Option<string> Workload { get; } = new("--workload");

    public Option<string> VariantName { get; } = new("--variant");

    public Option<string> Model { get; } = new("--model");

    public Option<string> Memory { get; } = new("--memory");

    public Option<string> Time { get; } = new("--time");

    public Option<string> Workers { get; } = new("--workers");

    public Option<string> Schedule { get; } = new("--schedule");

    public Option<string> Trace { get; } = new("--trace");

    public Option<string> Pid { get; } = new("--pid");

    public Option<string> Comm { get; } = new("--comm");

    public Option<bool> NoSwap { get; } = new("--no-swap");

    public Option<string> Thp { get; } = new("--thp");

    public Option<string> Kernel { get; } = new("--kernel");

    public Option<string> Html { get; } = new("--html");

    public Option<string> TraceOut { get; } = new("--trace-out");

    public Option<string> Seconds { get; } = new("--seconds");

    public Option<string> Out { get; } = new("--out");

    public Option<string> Buffer { get; } = new("--buffer");

    public Option<string> MeasureCpus { get; } = new("--cpus");

    public Option<string> Policy { get; } = new("--policy");

    public Option<string> Costs { get; } = new("--costs");

    public Option<string> Seed { get; } = new("--seed");

    public Option<bool> Csv { get; } = Flag("--csv");

    public Argument<string[]> Ids { get; } = new("id") { Arity = ArgumentArity.ZeroOrMore };

    /// <summary>One option for every bound that some scenario declares.</summary>
    public IReadOnlyList<Option<string>> BoundOptions { get; }

    /// <summary>Names of a command's options, for suggestions.</summary>
    public static IEnumerable<string> OptionNames(Command command) => command.Options.Select(option => option.Name).Append("--help");

    /// <summary>Its names are not taken from <c>check</c>, where bounds of scenarios may have them.</summary>
    private void AddMeasure()
    {
        Root.Add(Measure);
        Measure.Add(Ids);
        foreach (Option option in new Option[] { MeasureCpus, Policy, Time, Costs, Seed, Csv, Json, Html, TraceOut })
        {
            Measure.Add(option);
        }
    }

    private void Add(Command command, params ReadOnlySpan<Option> options)
    {
        Root.Add(command);
        foreach (Option option in options)
        {
            command.Add(option);
            _takenNames.Add(option.Name);
        }
    }

    private static Option<bool> Flag(string name, params string[] aliases) => new(name, aliases) { Arity = ArgumentArity.Zero };

    private static Option<string[]> Many(string name)
        => new(name) { Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };
}
