using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What a matrix is run on.</summary>
public sealed record PairSetup
{
    /// <summary>What reports call the kernel: <c>core</c>, <c>bug</c> or the name of a patch.</summary>
    public string Name { get; init; } = "core";

    /// <summary>The kernel's mechanisms; by default the correct core.</summary>
    public KernelParts Parts { get; init; } = new();

    /// <summary>The kernel's build-time choices, as far as no operation needs others.</summary>
    public KernelOptions Options { get; init; } = new();

    /// <summary>
    /// True if every lock is a step, also where no program could make it wait: for seeing what is held. Costs states.
    /// </summary>
    public bool TakesAllLocks { get; init; }

    /// <summary>Adds to a machine after its address space was made, e.g. a subscription of a notifier.</summary>
    public Action<Stage>? Prepare { get; init; }

    /// <summary>Memory model.</summary>
    public MemoryModelKind Model { get; init; } = MemoryModelKind.Sc;

    /// <summary>Representation of TLBs.</summary>
    public TlbKind Tlb { get; init; } = TlbKind.Lagging;

    /// <summary>The same with a patch upon it, under whose name reports appear.</summary>
    /// <param name="patch">The patch.</param>
    public PairSetup With(KernelPatch patch)
    {
        ArgumentNullException.ThrowIfNull(patch);
        return this with { Name = patch.Id, Parts = patch.Apply(Parts), Options = patch.Configure(Options) };
    }

    /// <summary>The kernel in which a scenario's bug is switched on; null if its bug is not in a mechanism of the kernel.</summary>
    public static PairSetup? OfBug(Scenario scenario)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        return scenario.BugParts(ScenarioDefaults.SetupOf(scenario, Variant.Bug)) is { } parts
            ? new PairSetup { Name = "bug", Parts = parts, Options = scenario.BugOptions, Model = scenario.Model }
            : null;
    }
}
