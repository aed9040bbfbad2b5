using System.Numerics;

namespace Shootdown.Machine;

/// <summary>
/// A domain of sleepable RCU (<c>struct srcu_struct</c>) as its contract says: <c>synchronize_srcu</c> returns only after every read
/// section of this domain that was open when it was called has ended. Sections may sleep, may nest, and may end on another
/// CPU than they began on; other domains and plain RCU have nothing to do with it.
/// </summary>
/// <remarks>
/// Open sections and waiters have slots; the lowest free one is taken, so equal states stay equal. More than 16 sections or 4
/// waiters at a time exceed the model (the check is inconclusive). Locking and unlocking are full barriers, as in kernel/rcu/srcutree.c.
/// </remarks>
public sealed class Srcu : MachineHandle
{
    private const int SectionsMax = 16;
    private const int WaitersMax = 4;
    private const ulong InUse = 1UL << 63;
    private readonly int _open;
    private readonly int _waiting;

    internal Srcu(MachineModel machine, string name)
        : base(machine)
    {
        Name = name;
        _open = machine.Allocate($"{name}.open", WordKind.Hardware);
        _waiting = machine.AllocateRange($"{name}.waiting", WordKind.Hardware, WaitersMax);
    }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>True if some read section of the domain is open; for properties.</summary>
    public bool IsReadBySomebody(MachineState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Read(_open) != 0;
    }

    /// <summary>Address of the word that is 0 while no section is open; for the footprints of properties.</summary>
    public int OpenAddress => _open;

    internal Operation Lock(Cpu cpu) => new SectionOperation(this, cpu, -1);

    internal Operation Unlock(Cpu cpu, int section) => new SectionOperation(this, cpu, section);

    internal Operation Begin(Cpu cpu) => new BeginOperation(this, cpu);

    internal Operation End(int waiter) => new EndOperation(this, waiter);

    /// <summary>Opens a section and returns its slot, or ends the one in the slot.</summary>
    private sealed class SectionOperation(Srcu srcu, Cpu cpu, int section) : Operation
    {
        public override string Text => $"{(section < 0 ? "srcu_read_lock" : "srcu_read_unlock")}(&{srcu.Name})";

        public override StepWeight Weight => StepWeight.Context;

        public override HeldChange? HeldAfter(long result) => new HeldChange(srcu.Name, HoldKind.Srcu, section < 0);

        public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

        public override long Execute(MachineState state, int alternative)
        {
            ulong open = state.Read(srcu._open);
            return section < 0 ? Enter(state, open) : Leave(state, open);
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(srcu._open);
            if (section >= 0)
            {
                footprint.WriteRange(srcu._waiting, WaitersMax);
            }

            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        }

        private int Enter(MachineState state, ulong open)
        {
            int slot = BitOperations.TrailingZeroCount(~open);
            if (slot >= SectionsMax)
            {
                throw new BoundExceededException($"more than {SectionsMax} read sections of {srcu.Name} are open at a time");
            }

            state.Write(srcu._open, open | (1UL << slot));
            return slot;
        }

        private long Leave(MachineState state, ulong open)
        {
            ulong bit = 1UL << section;
            if ((open & bit) == 0)
            {
                state.Violation = new Violation("assert", $"{cpu} ends a read section of {srcu.Name} that is not open.");
            }

            state.Write(srcu._open, open & ~bit);
            for (int waiter = 0; waiter < WaitersMax; waiter++)
            {
                state.Write(srcu._waiting + waiter, state.Read(srcu._waiting + waiter) & ~bit);
            }

            return 0;
        }
    }

    private sealed class BeginOperation(Srcu srcu, Cpu cpu) : Operation
    {
        public override string Text => $"synchronize_srcu(&{srcu.Name})";

        public override StepWeight Weight => StepWeight.Context;

        public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

        public override long Execute(MachineState state, int alternative)
        {
            AtomicContext.JudgeSleep(state, cpu, Text);
            ulong open = state.Read(srcu._open);
            state.Record?.Note($"waits for {BitOperations.PopCount(open)} open read section(s)");
            for (int waiter = 0; waiter < WaitersMax; waiter++)
            {
                if (state.Read(srcu._waiting + waiter) == 0)
                {
                    state.Write(srcu._waiting + waiter, open | InUse);
                    return waiter;
                }
            }

            throw new BoundExceededException($"more than {WaitersMax} callers of synchronize_srcu(&{srcu.Name}) wait at a time");
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Read(srcu._open);
            footprint.WriteRange(srcu._waiting, WaitersMax);
            AtomicContext.AddFootprint(footprint, cpu);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        }
    }

    private sealed class EndOperation(Srcu srcu, int waiter) : Operation
    {
        private readonly int _address = srcu._waiting + waiter;

        public override string Text => $"[ grace period of {srcu.Name} ends ]";

        public override StepWeight Weight => StepWeight.Context;

        public override int Alternatives(MachineState state) => state.Read(_address) == InUse ? 1 : 0;

        public override int BlockedOn(MachineState state) => _address;

        public override long Execute(MachineState state, int alternative)
        {
            state.Write(_address, 0);
            return 0;
        }

        public override void AddFootprint(Footprint footprint) => footprint.Write(_address);
    }
}
