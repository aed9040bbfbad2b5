using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What is checked: a machine with its programs and the properties that must hold on every run.</summary>
public sealed class CheckModel
{
    /// <summary>Registers the properties with the machine, adds its hardware agents and fixes its layout.</summary>
    /// <param name="machine">The machine with all words and programs; not sealed yet.</param>
    /// <param name="properties">The properties; deadlock is always checked.</param>
    /// <param name="mustExercise">Ids of properties without whose judgement a clean run proves nothing; all if null. With
    /// <see cref="Deadlock.Id"/> deadlock is reported as judged, too.</param>
    public CheckModel(MachineModel machine, IReadOnlyList<Property> properties, IReadOnlyList<string>? mustExercise = null)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(properties);
        Machine = machine;
        Properties = properties;
        MustExercise = mustExercise ?? [.. properties.Select(property => property.Id)];
        for (int slot = 0; slot < properties.Count; slot++)
        {
            properties[slot].Attach(machine, slot);
        }

        machine.Seal();
    }

    private CheckModel(MachineModel machine, PCost costs)
    {
        Machine = machine;
        Properties = [costs];
        MustExercise = [costs.Id];
        machine.Monitors.Clear();
        costs.Attach(machine, 0);
    }

    /// <summary>
    /// The same programs, to count what they cost, operation by operation: nothing is judged, so that runs that break a promise are counted
    /// to their end too. Takes the machine over: this model must not have been explored, and must not be afterwards.
    /// </summary>
    /// <param name="functions">Kernel functions whose calls are counted too.</param>
    /// <exception cref="ProcRuleException">Costs cannot be counted on this machine; the message says why.</exception>
    public CheckModel ForCosts(params IReadOnlyList<string> functions)
        => new(Machine, new PCost(byOperation: true, functions)) { Symmetry = Symmetry, ExtraBounds = ExtraBounds };

    /// <summary>The machine.</summary>
    public MachineModel Machine { get; }

    /// <summary>CPUs and pages that are interchangeable; null if none are. States that differ in their names only are explored once.</summary>
    public SymmetricParts? Symmetry { get; init; }

    /// <summary>The properties, by slot.</summary>
    public IReadOnlyList<Property> Properties { get; }

    /// <summary>Properties that must have been judged at least once for a pass.</summary>
    public IReadOnlyList<string> MustExercise { get; }

    /// <summary>Bounds to print besides those that every check prints.</summary>
    public IReadOnlyList<Bound> ExtraBounds { get; init; } = [];
}
