using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>ninc(n): n threads increment a word with a load and a store.</summary>
public sealed class Ninc : PeerProgram
{
    /// <inheritdoc/>
    public override string Id => "peer-ninc";

    /// <inheritdoc/>
    public override string Title => "lost updates: n threads each load a counter and store the value plus one";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters => [new("n", 3, 1, 6, "threads")];

    /// <inheritdoc/>
    public override string Story =>
        """
        Each thread loads x and stores the value plus one. Nothing makes the two steps one, so increments are lost: x
        ends as anything from 1 (everybody loaded 0) to n (one after the other). In between there are (n!)^2 executions
        for a tool that tells apart who read whose store and in which order the stores were made.

        The program has no assertion: it is wrong on purpose, and what it is for is the number of its executions. There
        is no other version: it passes if every thread ends.
        """;

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int n = setup["n"];
        MachineModel machine = NewMachine(setup, n);
        Word x = machine.NewWord("x");
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddTask(cpu, "thr", () => Increment(cpu, x));
        }

        return WithoutAssertions(machine);
    }

    private static async Proc Increment(Cpu cpu, Word x)
    {
        ulong value = await cpu.Load(x);
        await cpu.Store(x, value + 1);
    }
}
