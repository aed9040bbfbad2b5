using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>ainc(n): n threads increment a word atomically.</summary>
public sealed class Ainc : PeerProgram
{
    /// <inheritdoc/>
    public override string Id => "peer-ainc";

    /// <inheritdoc/>
    public override string Title => "atomic increments: n threads each add one to a counter";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters => [new("n", 4, 1, 8, "threads")];

    /// <inheritdoc/>
    public override string Story =>
        """
        Each thread does one atomic_fetch_add(&x, 1). The additions can happen in n! orders, and a tool that tells them
        apart has as many executions; but after any k of them x is k, whatever their order, so that there are only 2^n
        states, one for each set of threads that have ended.

        The program has no assertion and no wrong version (peer-ninc is the one that loses updates): it passes if
        every thread ends.
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

    private static async Proc Increment(Cpu cpu, Word x) => await cpu.AddReturn(x, 1);
}
