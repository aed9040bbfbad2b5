using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Which code a scenario runs.</summary>
public enum Variant
{
    /// <summary>With the historical bug.</summary>
    Bug,

    /// <summary>With its fix: the core as it is.</summary>
    Fix,
}

/// <summary>
/// A race that can be checked: a machine, the programs of its CPUs, the properties, and the same with the fix.
/// A new scenario is one class; see docs/scenario.md.
/// </summary>
public abstract class Scenario
{
    /// <summary>Short id, lower case with dashes, e.g. <c>madv-dontneed-parallel</c>.</summary>
    public abstract string Id { get; }

    /// <summary>Catalogue number, e.g. <c>B02</c>; empty if it has none.</summary>
    public virtual string Number => string.Empty;

    /// <summary>One line.</summary>
    public abstract string Title { get; }

    /// <summary>Year of the fix or report; 0 if it has none.</summary>
    public virtual int Year => 0;

    /// <summary>Commits and CVE numbers.</summary>
    public virtual IReadOnlyList<string> References => [];

    /// <summary>Seed mail, e.g. <c>000</c>; empty if none.</summary>
    public virtual string Seed => string.Empty;

    /// <summary>Tags for <c>--tag</c>.</summary>
    public virtual IReadOnlyList<string> Tags => [];

    /// <summary>The property that the bug violates, e.g. <c>P-ret</c>.</summary>
    public abstract string Property { get; }

    /// <summary>The weakest machine on which the bug shows.</summary>
    public virtual MemoryModelKind Model => MemoryModelKind.Sc;

    /// <summary>
    /// The variants that exist, the bug first. A program without a wrong version has its fix only, the program as it is.
    /// </summary>
    public virtual IReadOnlyList<Variant> Variants => [Variant.Bug, Variant.Fix];

    /// <summary>The bounds that a user may change; the first two are usually cpus and pages.</summary>
    public abstract IReadOnlyList<ScenarioParameter> Parameters { get; }

    /// <summary>The story: who, which functions, what goes wrong, the fix. Paragraphs of plain text.</summary>
    public abstract string Story { get; }

    /// <summary>The step list of the race, one step a line.</summary>
    public virtual IReadOnlyList<string> Steps => [];

    /// <summary>Where the facts come from.</summary>
    public virtual IReadOnlyList<string> Sources => [];

    /// <summary>The verdict that is expected under a model; null if the scenario says nothing about it.</summary>
    public virtual Verdict? Expect(Variant variant, MemoryModelKind model)
        => variant == Variant.Fix ? Verdict.Pass : model >= Model ? Verdict.Violation : Verdict.Pass;

    /// <summary>
    /// The mechanisms that the bug replaces, for <c>pairs --bug</c>; null if it is not in a mechanism of <see cref="KernelModel"/>.
    /// </summary>
    /// <param name="setup">With the bounds at their defaults, unless a user changed them.</param>
    public virtual KernelParts? BugParts(ScenarioSetup setup) => null;

    /// <summary>The build-time choices of a kernel in which the bug shows, for <c>pairs --bug</c>.</summary>
    public virtual KernelOptions BugOptions => new();

    /// <summary>
    /// Where a parameter stands for several machines (<see cref="ScenarioParameter.All"/>): properties that some of them must exercise, or a pass
    /// of all is none.
    /// </summary>
    public virtual IReadOnlyList<string> MustExerciseInAll => [];

    /// <summary>Builds the machine, the programs and the properties.</summary>
    public abstract CheckModel Build(ScenarioSetup setup);

    /// <summary>The kernel's mechanisms: <see cref="BugParts"/> for the bug, the core for the fix.</summary>
    protected KernelParts PartsOf(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return setup.IsBug && BugParts(setup) is { } parts ? parts : new KernelParts();
    }
}

/// <summary>A bound of a scenario that a user may change.</summary>
/// <param name="Name">Option name, e.g. <c>cpus</c>.</param>
/// <param name="Default">Value at the catalogue's model size.</param>
/// <param name="Minimum">Smallest value that makes sense.</param>
/// <param name="Maximum">Largest value that the machine can hold.</param>
/// <param name="Help">What it bounds.</param>
public sealed record ScenarioParameter(string Name, int Default, int Minimum, int Maximum, string Help)
{
    /// <summary>
    /// A value that stands for all others: a machine for each, checked one after the other. Null if there is none;
    /// <see cref="Scenario.Build"/> is never asked for it.
    /// </summary>
    public int? All { get; init; }

    /// <summary>What the values are called, from 0 on; null if they are plain numbers.</summary>
    public IReadOnlyList<string>? ValueNames { get; init; }

    /// <summary>A parameter that chooses one of several machines, by number; by default all of them.</summary>
    /// <param name="name">Option name.</param>
    /// <param name="machines">What they are called.</param>
    internal static ScenarioParameter Each(string name, IReadOnlyList<string> machines)
    {
        string help = $"{string.Join(", ", machines.Select((machine, i) => $"{i} {machine}"))}; {machines.Count} for all";
        return new ScenarioParameter(name, machines.Count, 0, machines.Count, help) { All = machines.Count, ValueNames = machines };
    }

    /// <summary>A value as a reader wants it.</summary>
    internal string TextOf(int value)
    {
        string number = value.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return ValueNames is { } names && value < names.Count ? $"{number} ({names[value]})" : number;
    }
}

/// <summary>What <see cref="Scenario.Build"/> is asked for.</summary>
/// <param name="Variant">Bug or fix.</param>
/// <param name="Model">Memory model.</param>
/// <param name="Tlb">Representation of TLBs.</param>
/// <param name="Values">Value of every parameter, by name.</param>
public sealed record ScenarioSetup(Variant Variant, MemoryModelKind Model, TlbKind Tlb, IReadOnlyDictionary<string, int> Values)
{
    /// <summary>True if the historical bug is to run.</summary>
    public bool IsBug => Variant == Variant.Bug;

    /// <summary>Value of a parameter.</summary>
    public int this[string name] => Values[name];
}
