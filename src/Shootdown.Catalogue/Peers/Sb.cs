using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>SB(n): store buffering in a ring of n threads.</summary>
public sealed class Sb : PeerProgram
{
    /// <inheritdoc/>
    public override string Id => "peer-sb";

    /// <inheritdoc/>
    public override string Title => "store buffering: each of n threads sets its flag and reads its neighbour's";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("n", 4, 2, 14, "threads"),
        KeepParameter,
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Thread i stores 1 to x[i] and then loads x[i + 1], in a ring. Under sequential consistency some store comes
        last, and the thread before it in the ring may still have read 0, but the thread that stored last reads 1: all
        combinations of loaded values are possible but the one in which everybody reads 0, 2^n - 1 in all. Under x86-tso
        all stores may wait in the store buffers while everybody reads: 2^n.

        The program has no assertion and no wrong version: it passes if every thread ends. As in C, what was loaded
        is dropped; with keep 1 each thread keeps it, and every outcome is a final state.
        """;

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int n = setup["n"];
        MachineModel machine = NewMachine(setup, n);
        Word[] x = [.. Enumerable.Range(0, n).Select(i => machine.NewWord($"x[{i}]"))];
        for (int i = 0; i < n; i++)
        {
            Cpu cpu = machine.Cpus[i];
            Word own = x[i];
            Word next = x[(i + 1) % n];
            Word? seen = NewKeptWord(setup, cpu, $"r{i}");
            machine.AddTask(cpu, "thr", () => StoreThenLoad(cpu, own, next, seen));
        }

        return WithoutAssertions(machine);
    }

    private static async Proc StoreThenLoad(Cpu cpu, Word own, Word next, Word? seen)
    {
        await cpu.Store(own, 1);
        ulong value = await cpu.Load(next);
        if (seen is not null)
        {
            await cpu.Store(seen, value);
        }
    }
}
