using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A small bounded C program with which model checkers of C are compared, statement for statement on the machine:
/// atomics are accesses of words, a mutex is a spinlock, a spin loop is a wait. No page tables.
/// </summary>
/// <remarks>
/// A C tool counts executions: which load reads which store, and in which order stores of one word follow each other.
/// The explorer stores states, so what an execution loaded counts only as long as a program can still use it. Where the
/// loads are what the program is about, the bound <c>keep</c> makes it keep them in words that only its own CPU
/// touches: then there is a final state for each outcome.
/// </remarks>
public abstract class PeerProgram : Scenario
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["peer"];

    /// <summary>The assertion of the C program; of one without any, only that every thread comes to its end.</summary>
    public override string Property => HasBug ? "assert" : Deadlock.Id;

    /// <summary>Of a program without a wrong version there is one variant.</summary>
    public override IReadOnlyList<Variant> Variants => HasBug ? base.Variants : [Variant.Fix];

    /// <summary>True if there is a wrong version.</summary>
    protected virtual bool HasBug => false;

    /// <summary>The bound that makes outcomes visible.</summary>
    protected static ScenarioParameter KeepParameter { get; }
        = new("keep", 0, 0, 1, "1: threads keep what they loaded, which the C program drops");

    /// <summary>A machine without page tables on which every thread of the program has a CPU.</summary>
    protected static MachineModel NewMachine(ScenarioSetup setup, int threads)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return new MachineModel(new MachineOptions
        {
            Cpus = threads,
            Levels = 1,
            EntriesPerTable = 1,
            Tables = 1,
            Frames = 0,
            WalkCaches = false,
            Model = setup.Model,
            Tlb = setup.Tlb,
        });
    }

    /// <summary>Where a thread keeps what it loaded; null if it drops it.</summary>
    protected static Word? NewKeptWord(ScenarioSetup setup, Cpu cpu, string name)
    {
        ArgumentNullException.ThrowIfNull(setup);
        ArgumentNullException.ThrowIfNull(cpu);
        return setup["keep"] == 1 ? cpu.Machine.NewLocalWord(cpu, name) : null;
    }

    /// <summary>The program with its assertions, which a pass must have judged.</summary>
    protected static CheckModel WithAssertions(MachineModel machine) => new(machine, [new Assertions()]);

    /// <summary>
    /// A program that asserts nothing: the exploration finds its outcomes and that no thread is stuck.
    /// </summary>
    protected static CheckModel WithoutAssertions(MachineModel machine) => new(machine, [], [Deadlock.Id]);
}
