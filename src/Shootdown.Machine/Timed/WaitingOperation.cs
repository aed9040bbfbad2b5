namespace Shootdown.Machine;

/// <summary>What a program on a timed machine waits for; the machine knows when it happens.</summary>
internal sealed class WaitingOperation(string text) : Operation
{
    public override string Text => text;

    public override long Execute(MachineState state, int alternative)
        => throw new ProcRuleException($"'{text}' belongs to a timed machine");

    public override void AddFootprint(Footprint footprint)
        => throw new ProcRuleException($"'{text}' belongs to a timed machine");
}
