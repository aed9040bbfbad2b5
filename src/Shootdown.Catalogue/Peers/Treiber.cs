using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>treiber(W,R): a lock-free stack.</summary>
public sealed class Treiber : PeerProgram
{
    /// <summary>Link of a node that was never pushed; no node has this number.</summary>
    private const ulong Unlinked = 99;

    /// <inheritdoc/>
    public override string Id => "peer-treiber";

    /// <inheritdoc/>
    public override string Title => "a lock-free stack; in the bug a node is published before it is linked";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("w", 2, 1, 3, "threads that push their own node"),
        new("r", 1, 1, 2, "threads that pop once"),
        new("tries", 2, 1, 2, "attempts of each thread"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        To push, a thread loads the top, stores it as its node's link, and makes the node the top with cmpxchg if the
        top is still the same. To pop, a thread loads the top and its link, and makes the link the top with cmpxchg. A
        failed cmpxchg is tried again a bounded number of times, so that every tool explores the same program.

        The bug makes the node the top first and links it then: a thread that pops in between reads a link that was
        never written, and the nodes below are lost. The C program has no assertion; here links that were never written
        have a value of their own, and a thread that pops asserts that it does not read it.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "R. K. Treiber, \"Systems programming: coping with parallelism\", IBM RJ 5118, 1986",
    ];

    /// <inheritdoc/>
    protected override bool HasBug => true;

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pushers = setup["w"];
        int tries = setup["tries"];
        MachineModel machine = NewMachine(setup, pushers + setup["r"]);
        var stack = new LockFreeStack(machine, pushers, setup.IsBug);
        foreach (Cpu cpu in machine.Cpus)
        {
            if (cpu.Index < pushers)
            {
                machine.AddTask(cpu, "push", () => Push(cpu, stack, tries));
            }
            else
            {
                machine.AddTask(cpu, "pop", () => Pop(cpu, stack, tries));
            }
        }

        return WithAssertions(machine);
    }

    private static async Proc Push(Cpu cpu, LockFreeStack stack, int tries)
    {
        int node = cpu.Index + 1;
        Word link = stack.Links[node];
        for (int i = 0; i < tries; i++)
        {
            ulong top = await cpu.Load(stack.Top, MemoryOrder.Acquire);
            if (!stack.LinksLate)
            {
                await cpu.Store(link, top);
            }

            if (await cpu.CompareExchange(stack.Top, top, (ulong)node) == top)
            {
                if (stack.LinksLate)
                {
                    await cpu.Store(link, top);
                }

                return;
            }
        }
    }

    private static async Proc Pop(Cpu cpu, LockFreeStack stack, int tries)
    {
        for (int i = 0; i < tries; i++)
        {
            ulong top = await cpu.Load(stack.Top, MemoryOrder.Acquire);
            if (top == 0)
            {
                return;
            }

            ulong below = await cpu.Load(stack.Links[(int)top]);
            await cpu.Assert(below != Unlinked, "the node on top is linked");
            if (await cpu.CompareExchange(stack.Top, top, below) == top)
            {
                return;
            }
        }
    }

    private sealed class LockFreeStack(MachineModel machine, int nodes, bool linksLate) : MachineHandle(machine)
    {
        internal bool LinksLate { get; } = linksLate;

        /// <summary>Number of the node on top; 0 if there is none.</summary>
        internal Word Top { get; } = machine.NewWord("top");

        /// <summary>Number of the node below each node; node 0 is the bottom.</summary>
        internal ImmutableArray<Word> Links { get; } =
            [.. Enumerable.Range(0, nodes + 1).Select(node => machine.NewWord($"nxt[{node}]", Unlinked))];
    }
}
