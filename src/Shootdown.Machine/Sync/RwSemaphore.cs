namespace Shootdown.Machine;

/// <summary>
/// A reader-writer semaphore with downgrade. Readers and writers are admitted in any order: the kernel's
/// writer-before-new-reader fairness only removes interleavings.
/// </summary>
public sealed class RwSemaphore : MachineHandle
{
    internal const ulong Writer = 1UL << 32;

    internal RwSemaphore(MachineModel machine, string name)
        : base(machine)
    {
        Word = machine.NewWord(name);
        if (machine.Timed is not null)
        {
            // The word behind it holds when the last reader left: writers wait for that, readers do not.
            machine.Allocate(name, WordKind.Hardware);
        }
    }

    /// <summary>Number of readers; bit 32 while a writer holds it.</summary>
    public Word Word { get; }
}

internal enum RwAction
{
    DownRead,
    UpRead,
    DownWrite,
    DownWriteTrylock,
    UpWrite,
    DowngradeWrite,
}

internal sealed class RwSemaphoreOperation(Cpu cpu, RwSemaphore semaphore, RwAction action) : Operation
{
    private readonly int _address = semaphore.Word.Address;

    public override string Text => $"{KernelNames.ToSnakeCase(action.ToString())}({semaphore.Word.Name})";

    public override StepWeight Weight => StepWeight.Context;

    public override int Alternatives(MachineState state)
    {
        if (!cpu.Machine.Model.IsDrained(state, cpu))
        {
            return 0;
        }

        return action switch
        {
            RwAction.DownRead => state.Read(_address) < RwSemaphore.Writer ? 1 : 0,
            RwAction.DownWrite => state.Read(_address) == 0 ? 1 : 0,
            _ => 1,
        };
    }

    public override int BlockedOn(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? _address : -1;

    public override long Execute(MachineState state, int alternative)
    {
        if (action is RwAction.DownRead or RwAction.DownWrite)
        {
            AtomicContext.JudgeSleep(state, cpu, Text);
        }

        ulong old = state.Read(_address);
        if (action == RwAction.DownWriteTrylock && old != 0)
        {
            state.Record?.Note("fails");
            return 0;
        }

        state.Write(_address, action switch
        {
            RwAction.DownRead => old + 1,
            RwAction.UpRead => old - 1,
            RwAction.DownWrite or RwAction.DownWriteTrylock => RwSemaphore.Writer,
            RwAction.UpWrite => 0,
            _ => 1,
        });
        return action == RwAction.DownWriteTrylock ? 1 : 0;
    }

    /// <summary>A downgrade takes it for reading, instead of what was held under its name.</summary>
    public override HeldChange? HeldAfter(long result) => action == RwAction.DownWriteTrylock && result == 0 ? null : new HeldChange(
        semaphore.Word.Name,
        action is RwAction.DownWrite or RwAction.DownWriteTrylock or RwAction.UpWrite ? HoldKind.Write : HoldKind.Read,
        action is RwAction.DownRead or RwAction.DownWrite or RwAction.DownWriteTrylock or RwAction.DowngradeWrite);

    public override void AddFootprint(Footprint footprint)
    {
        footprint.Write(_address);
        AtomicContext.AddFootprint(footprint, cpu);
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}
