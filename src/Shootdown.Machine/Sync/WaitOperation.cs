namespace Shootdown.Machine;

/// <summary>The condition of a wait.</summary>
public enum Condition
{
    /// <summary>The word equals the operand.</summary>
    Equal,

    /// <summary>The word differs from the operand.</summary>
    NotEqual,
}

/// <summary>Waits until a word of kernel memory, as the CPU sees it, meets a condition; returns its value.</summary>
internal sealed class WaitOperation(Cpu cpu, Word word, Condition condition, ulong operand, bool sleeps = false) : Operation
{
    public override string Text => $"wait until {word.Name} {(condition == Condition.Equal ? "==" : "!=")} {operand}";

    public override StepWeight Weight => StepWeight.Context;

    public override int Alternatives(MachineState state)
    {
        ulong value = cpu.Machine.Model.Load(state, cpu, word.Address, MemoryOrder.Acquire, 0);
        return value == operand == (condition == Condition.Equal) ? 1 : 0;
    }

    public override int BlockedOn(MachineState state) => cpu.Machine.Options.Model == MemoryModelKind.Sc ? word.Address : -1;

    public override long Execute(MachineState state, int alternative)
    {
        if (sleeps)
        {
            AtomicContext.JudgeSleep(state, cpu, Text);
        }

        return unchecked((long)cpu.Machine.Model.Load(state, cpu, word.Address, MemoryOrder.Acquire, alternative));
    }

    public override long ResultUnder(Permutation permutation, long result)
        => unchecked((long)permutation.ValueOf(cpu.Machine.PlaceOf(word.Address).Meaning, (ulong)result));

    public override void AddFootprint(Footprint footprint)
    {
        cpu.Machine.Model.AddLoadFootprint(footprint, cpu, word.Address);
        if (sleeps)
        {
            AtomicContext.AddFootprint(footprint, cpu);
        }
    }
}

/// <summary>A free choice of the program or its environment: returns 0 to count - 1, possibly the number of a page.</summary>
internal sealed class ChooseOperation(int count, string what, bool isPage = false) : Operation
{
    public override string Text => $"choose {what}";

    public override int Alternatives(MachineState state) => count;

    public override long Execute(MachineState state, int alternative) => alternative;

    public override long ResultUnder(Permutation permutation, long result) => isPage ? permutation.PageOf((int)result) : result;

    public override void AddFootprint(Footprint footprint)
    {
    }
}
