using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>User assertions: conditions that programs state with <see cref="Cpu.Assert"/>.</summary>
public sealed class Assertions : Property
{
    /// <inheritdoc/>
    public override string Id => "assert";

    /// <inheritdoc/>
    public override string JudgementText => "assertions";

    /// <inheritdoc/>
    public override void OnAssert(MachineState state, bool holds, string message)
    {
        Judge(state);
        if (!holds)
        {
            Report(state, $"The assertion fails: {message}.");
        }
    }
}
