using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>readers(n): one writer and n readers of a word.</summary>
public sealed class Readers : PeerProgram
{
    /// <inheritdoc/>
    public override string Id => "peer-readers";

    /// <inheritdoc/>
    public override string Title => "one writer and n readers of one word";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("n", 4, 1, 13, "readers; one more thread writes"),
        KeepParameter,
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        One thread stores 42 to x, n threads load x once. Every reader comes before or after the writer, whatever the
        others do: 2^n outcomes. The order of the readers among themselves changes nothing, and a tool that explores it
        has (n + 1)! executions.

        The program has no assertion and no wrong version: it passes if every thread ends. As in C, what was loaded
        is dropped; with keep 1 each reader keeps it, and every outcome is a final state.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "P. A. Abdulla, S. Aronis, B. Jonsson, K. Sagonas, \"Optimal dynamic partial order reduction\", POPL 2014",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int n = setup["n"];
        MachineModel machine = NewMachine(setup, n + 1);
        Word x = machine.NewWord("x");
        machine.AddTask(machine.Cpus[0], "wr", () => Write(machine.Cpus[0], x));
        foreach (Cpu cpu in machine.Cpus.Skip(1))
        {
            Word? seen = NewKeptWord(setup, cpu, $"r{cpu.Index}");
            machine.AddTask(cpu, "rd", () => Read(cpu, x, seen));
        }

        return WithoutAssertions(machine);
    }

    private static async Proc Write(Cpu cpu, Word x) => await cpu.Store(x, 42, MemoryOrder.Release);

    private static async Proc Read(Cpu cpu, Word x, Word? seen)
    {
        ulong value = await cpu.Load(x, MemoryOrder.Acquire);
        if (seen is not null)
        {
            await cpu.Store(seen, value);
        }
    }
}
