using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>ticket(n): n threads take a ticket lock once.</summary>
public sealed class Ticket : PeerProgram
{
    /// <inheritdoc/>
    public override string Id => "peer-ticket";

    /// <inheritdoc/>
    public override string Title => "n threads take a ticket lock; in the bug the lock is passed on too early";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters => [new("n", 3, 2, 6, "threads")];

    /// <inheritdoc/>
    public override string Story =>
        """
        Each thread draws a ticket with atomic_fetch_add(&next, 1), waits until owner is its ticket, writes its number
        to a shared word, asserts that it reads it back, and passes the lock on with owner = ticket + 1. The tickets can
        be drawn in n! orders.

        The bug passes the lock on before it reads the word back: the next thread is let in and writes its own number
        in between.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "J. M. Mellor-Crummey, M. L. Scott, \"Algorithms for scalable synchronization on shared-memory multiprocessors\", 1991",
    ];

    /// <inheritdoc/>
    protected override bool HasBug => true;

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int n = setup["n"];
        MachineModel machine = NewMachine(setup, n);
        var shared = new Shared(machine, setup.IsBug);
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddTask(cpu, "thr", () => TakeOnce(cpu, shared));
        }

        return WithAssertions(machine);
    }

    private static async Proc TakeOnce(Cpu cpu, Shared shared)
    {
        ulong me = (ulong)cpu.Index + 1;
        ulong ticket = await cpu.AddReturn(shared.Next, 1) - 1;
        await cpu.WaitUntil(shared.Owner, Condition.Equal, ticket);
        await cpu.Store(shared.Data, me);
        if (shared.ReleasesEarly)
        {
            await cpu.Store(shared.Owner, ticket + 1, MemoryOrder.Release);
        }

        ulong found = await cpu.Load(shared.Data);
        await cpu.Assert(found == me, "shared == me");
        if (!shared.ReleasesEarly)
        {
            await cpu.Store(shared.Owner, ticket + 1, MemoryOrder.Release);
        }
    }

    private sealed class Shared(MachineModel machine, bool releasesEarly) : MachineHandle(machine)
    {
        internal bool ReleasesEarly { get; } = releasesEarly;

        internal Word Next { get; } = machine.NewWord("next");

        internal Word Owner { get; } = machine.NewWord("owner");

        internal Word Data { get; } = machine.NewWord("shared");
    }
}
