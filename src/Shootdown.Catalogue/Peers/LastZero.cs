using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>lastzero(n): n writers fill an array, one reader looks for its last zero.</summary>
public sealed class LastZero : PeerProgram
{
    /// <inheritdoc/>
    public override string Id => "peer-lastzero";

    /// <inheritdoc/>
    public override string Title => "n writers a[j] = a[j-1] + 1, one reader scans down for the last zero";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("n", 4, 2, 12, "writers; one more thread reads"),
        KeepParameter,
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Writer j loads a[j - 1] and stores that plus one to a[j], for j from 1 to n. A reader goes from a[n] down until
        it finds a zero; a[0] is one for ever. Which words the reader reads depends on what it reads, so that a tool
        cannot know in advance which writers it races with.

        Outcomes: a[1] is 1; every other a[j] is 1 or a[j - 1] + 1, as its writer came before or after the one below,
        which gives 2^(n-1) arrays. The reader stops at n or at 0 with any of them. It stops at i in between only if it
        found a[i + 1] set and then a[i] not set; writer i came later, so a[i + 1] is 1 and the other arrays drop out:
        2^(n-2) for each of n - 1 places. In all (n + 3) 2^(n-2).

        The program has no assertion and no wrong version: it passes if every thread ends. As in C, the reader
        forgets where it stopped, so that the arrays are the final states; with keep 1 it keeps it.
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
        ImmutableArray<Word> a = [.. Enumerable.Range(0, n + 1).Select(j => machine.NewWord($"a[{j}]"))];
        Cpu reader = machine.Cpus[0];
        Word? stopped = NewKeptWord(setup, reader, "i");
        machine.AddTask(reader, "rd", () => ScanDown(reader, a, stopped));
        for (int j = 1; j <= n; j++)
        {
            Cpu cpu = machine.Cpus[j];
            Word below = a[j - 1];
            Word own = a[j];
            machine.AddTask(cpu, "wr", () => Write(cpu, below, own));
        }

        return WithoutAssertions(machine);
    }

    private static async Proc ScanDown(Cpu cpu, ImmutableArray<Word> a, Word? stopped)
    {
        int i = a.Length - 1;
        while (await cpu.Load(a[i], MemoryOrder.Acquire) != 0)
        {
            i--;
        }

        if (stopped is not null)
        {
            await cpu.Store(stopped, (ulong)i);
        }
    }

    private static async Proc Write(Cpu cpu, Word below, Word own)
    {
        ulong value = await cpu.Load(below, MemoryOrder.Acquire);
        await cpu.Store(own, value + 1, MemoryOrder.Release);
    }
}
