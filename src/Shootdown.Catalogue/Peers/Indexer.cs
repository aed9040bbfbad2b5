using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>indexer(n): n threads hash messages into a table.</summary>
public sealed class Indexer : PeerProgram
{
    private const int Size = 128;
    private const int Messages = 4;

    /// <inheritdoc/>
    public override string Id => "peer-indexer";

    /// <inheritdoc/>
    public override string Title => "n threads hash 4 messages each into a table of 128; collisions start at 12 threads";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters => [new("n", 12, 1, 15, "threads")];

    /// <inheritdoc/>
    public override string Story =>
        """
        Thread t puts the messages w = 11 i + t, for i from 1 to 4, into the slot 7 w mod 128 or the next free one, with
        cmpxchg. Two threads meet only where their messages are equal, that is, if their numbers differ by 11: up to 11
        threads all orders are the same, and thread 11 + t meets thread t at three messages. Who comes second takes the
        next slot, which nobody else wants. Static reductions see two programs that may touch anything in the table; a
        tool that looks at the run sees 2^(3 (n - 11)) executions.

        The program has no assertion and no wrong version: it passes if every thread ends. As two threads that meet
        bring the same message, the table ends the same in every run.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "C. Flanagan, P. Godefroid, \"Dynamic partial-order reduction for model checking software\", POPL 2005",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int n = setup["n"];
        MachineModel machine = NewMachine(setup, n);
        ImmutableArray<Word> table = [.. Enumerable.Range(0, Size).Select(h => machine.NewWord($"table[{h}]"))];
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddTask(cpu, "thr", () => Insert(cpu, table));
        }

        return WithoutAssertions(machine);
    }

    private static async Proc Insert(Cpu cpu, ImmutableArray<Word> table)
    {
        for (int i = 0; i < Messages; i++)
        {
            int w = ((i + 1) * 11) + cpu.Index;
            int h = w * 7 % Size;
            while (await cpu.CompareExchange(table[h], 0, (ulong)w) != 0)
            {
                h = (h + 1) % Size;
            }
        }
    }
}
