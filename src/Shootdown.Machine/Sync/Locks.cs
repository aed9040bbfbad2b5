namespace Shootdown.Machine;

/// <summary>A spinlock. Waiting is an operation that cannot happen yet, not a loop.</summary>
public sealed class Spinlock : MachineHandle
{
    internal Spinlock(MachineModel machine, string name, int table)
        : base(machine)
    {
        Word = machine.NewWord(name, 0, new WordPlace($"lock {name}", Meaning: WordMeaning.CpuOwner));
        Table = table;
    }

    /// <summary>The page table that the lock goes with; -1 if none.</summary>
    internal int Table { get; }

    /// <summary>0 when free, else 1 + the index of the CPU that holds it.</summary>
    public Word Word { get; }

    /// <summary>Name for reports.</summary>
    public string Name => Word.Name;

    /// <summary>True if the CPU holds the lock.</summary>
    public bool IsHeldBy(MachineState state, Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(cpu);
        return state.Read(Word.Address) == (ulong)cpu.Index + 1;
    }
}

/// <summary>A mutex: a lock whose waiter sleeps.</summary>
public sealed class KernelMutex : MachineHandle
{
    internal KernelMutex(MachineModel machine, string name)
        : base(machine) => Word = machine.NewWord(name, 0, new WordPlace($"lock {name}", Meaning: WordMeaning.CpuOwner));

    internal KernelMutex(Word word)
        : base(word.Machine) => Word = word;

    /// <summary>0 when free, else 1 + the index of the CPU whose task holds it.</summary>
    public Word Word { get; }
}

/// <summary>Which half of a lock operation.</summary>
internal enum LockAction
{
    Acquire,
    TryAcquire,
    Release,
}

/// <summary>
/// Taking or releasing an exclusive lock. Taking is a locked RMW; releasing is a plain store with release
/// ordering (x86 <c>queued_spin_unlock</c>), so under x86-tso it goes through the store buffer. Trying never waits; its
/// result is 1 if the lock was taken.
/// </summary>
internal sealed class ExclusiveLockOperation(Cpu cpu, Word word, string function, LockAction action, bool sleeps, int table = -1) : Operation
{
    public override string Text => $"{function}({word.Name})";

    public override StepWeight Weight => StepWeight.Context;

    public override int AcquiresLock => action == LockAction.Acquire ? word.Address : -1;

    public override int ReleasesLock => action == LockAction.Release ? word.Address : -1;

    public override int BlockedOn(MachineState state)
        => action == LockAction.Acquire && state.Read(word.Address) != 0 ? word.Address : -1;

    public override int Alternatives(MachineState state) => action == LockAction.Release
        ? cpu.Machine.Model.StoreAlternatives(state, cpu, MemoryOrder.Release)
        : (action == LockAction.TryAcquire || state.Read(word.Address) == 0) && cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        if (action == LockAction.Release)
        {
            ulong owner = state.Read(word.Address);
            if (cpu.Machine.HasMovableTasks ? owner == 0 : owner != (ulong)cpu.Index + 1)
            {
                state.Violation = new Violation("assert", $"{cpu} releases {word.Name}, which it does not hold.");
            }

            cpu.Machine.Model.Store(state, cpu, word.Address, 0, MemoryOrder.Release);
        }
        else if (action == LockAction.TryAcquire)
        {
            bool taken = state.Read(word.Address) == 0;
            state.Write(word.Address, taken ? (ulong)cpu.Index + 1 : state.Read(word.Address));
            state.Record?.Note(taken ? "succeeds" : "fails");
            return taken ? 1 : 0;
        }
        else
        {
            if (sleeps)
            {
                AtomicContext.JudgeSleep(state, cpu, Text);
            }

            state.Write(word.Address, (ulong)cpu.Index + 1);
            if (table >= 0)
            {
                TableUse.Report(state, cpu, table, "takes the lock");
            }
        }

        return 0;
    }

    public override HeldChange? HeldAfter(long result)
    {
        HoldKind kind = function.StartsWith("spin", StringComparison.Ordinal) ? HoldKind.Spinlock : HoldKind.Mutex;
        return action == LockAction.TryAcquire && result == 0 ? null : new HeldChange(word.Name, kind, action != LockAction.Release);
    }

    public override void AddFootprint(Footprint footprint)
    {
        footprint.Write(word.Address);
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        if (action == LockAction.Release)
        {
            cpu.Machine.Model.AddStoreFootprint(footprint, cpu, word.Address);
        }

        if (sleeps)
        {
            AtomicContext.AddFootprint(footprint, cpu);
        }

        if (table >= 0 && action == LockAction.Acquire)
        {
            TableUse.AddFootprint(footprint, cpu, table);
        }
    }
}
