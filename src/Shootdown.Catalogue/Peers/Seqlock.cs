using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>seqlock(W,R): writers that a mutex serialises, readers that try once.</summary>
public sealed class Seqlock : PeerProgram
{
    /// <inheritdoc/>
    public override string Id => "peer-seqlock";

    /// <inheritdoc/>
    public override string Title => "a sequence lock; in the bug the reader does not look at the sequence again";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("w", 1, 1, 2, "writers"),
        new("r", 2, 1, 3, "readers"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A writer takes a mutex, makes the sequence odd, writes its number to both halves of the data, and makes the
        sequence even again. A reader loads the sequence, gives up if it is odd, loads both halves, and loads the
        sequence again: if it has not changed, the halves must be equal.

        The bug leaves out the second look at the sequence: a writer that comes between the two halves goes unnoticed.

        The C program's fences order nothing more under sc and x86-tso, where loads stay in order and so do stores; they
        are not steps here.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources => ["include/linux/seqlock.h"];

    /// <inheritdoc/>
    protected override bool HasBug => true;

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int writers = setup["w"];
        MachineModel machine = NewMachine(setup, writers + setup["r"]);
        var shared = new Shared(machine, setup.IsBug);
        foreach (Cpu cpu in machine.Cpus)
        {
            if (cpu.Index < writers)
            {
                machine.AddTask(cpu, "wr", () => Write(cpu, shared));
            }
            else
            {
                machine.AddTask(cpu, "rd", () => Read(cpu, shared));
            }
        }

        return WithAssertions(machine);
    }

    private static async Proc Write(Cpu cpu, Shared shared)
    {
        ulong value = (ulong)cpu.Index + 1;
        await cpu.SpinLock(shared.Mutex);
        ulong sequence = await cpu.Load(shared.Sequence);
        await cpu.Store(shared.Sequence, sequence + 1);
        await cpu.Store(shared.A, value);
        await cpu.Store(shared.B, value);
        await cpu.Store(shared.Sequence, sequence + 2, MemoryOrder.Release);
        await cpu.SpinUnlock(shared.Mutex);
    }

    private static async Proc Read(Cpu cpu, Shared shared)
    {
        ulong sequence = await cpu.Load(shared.Sequence, MemoryOrder.Acquire);
        if (sequence % 2 != 0)
        {
            return;
        }

        ulong a = await cpu.Load(shared.A);
        ulong b = await cpu.Load(shared.B);
        if (shared.LooksOnce || await cpu.Load(shared.Sequence) == sequence)
        {
            await cpu.Assert(a == b, "a == b");
        }
    }

    private sealed class Shared(MachineModel machine, bool looksOnce) : MachineHandle(machine)
    {
        internal bool LooksOnce { get; } = looksOnce;

        internal Spinlock Mutex { get; } = machine.NewSpinLock("m");

        internal Word Sequence { get; } = machine.NewWord("seq");

        internal Word A { get; } = machine.NewWord("a");

        internal Word B { get; } = machine.NewWord("b");
    }
}
