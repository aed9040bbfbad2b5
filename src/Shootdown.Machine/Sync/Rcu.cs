using System.Numerics;

namespace Shootdown.Machine;

/// <summary>
/// RCU as its contract says: a grace period that starts ends only after every read section that was open then has
/// ended. Sections are those of <c>rcu_read_lock</c>, interrupts off and interrupt handlers (RCU-sched).
/// </summary>
public sealed class Rcu : MachineHandle
{
    private const int QueueDepth = 4;
    private readonly int[] _nesting;
    private readonly int[] _waitingFor;
    private readonly List<Func<Cpu, ulong, Proc>> _callbacks = [];
    private readonly int _queueCount;
    private readonly int _queue;

    internal Rcu(MachineModel machine)
        : base(machine)
    {
        int cpus = machine.Timed is null ? machine.Options.Cpus : 0;
        _nesting = [.. Enumerable.Range(0, cpus).Select(c => machine.Allocate($"cpu{c}.rcu_nesting", WordKind.Hardware))];
        _waitingFor = [.. Enumerable.Range(0, cpus + 1).Select(c => machine.Allocate($"rcu.waiting[{c}]", WordKind.Hardware))];
        for (int c = 0; c < cpus; c++)
        {
            machine.Describe(_nesting[c], new WordPlace("rcu_nesting", c));
            machine.Describe(_waitingFor[c], new WordPlace("rcu_waiting", c, Meaning: WordMeaning.CpuSet));
        }

        machine.Describe(_waitingFor[cpus], new WordPlace("rcu_waiting_callbacks", Meaning: WordMeaning.CpuSet));
        _queueCount = machine.Allocate("rcu.callbacks.count", WordKind.Hardware);
        _queue = machine.AllocateRange("rcu.callbacks", WordKind.Hardware, 2 * QueueDepth);
    }

    /// <summary>Registers a function for <see cref="Cpu.CallRcu"/> and returns its number.</summary>
    public int RegisterCallback(Func<Cpu, ulong, Proc> callback)
    {
        _callbacks.Add(callback);
        return _callbacks.Count - 1;
    }

    /// <summary>A registered function.</summary>
    internal Func<Cpu, ulong, Proc> CallbackOf(int number) => _callbacks[number];

    internal void AddAgents()
    {
        if (IsUsed && _callbacks.Count > 0)
        {
            Machine.AddAgent("rcu", AgentKind.Reactive, null, true, RunCallbacks);
        }
    }

    /// <summary>A CPU leaves its outermost section: whoever waited for it waits no more.</summary>
    internal void Quiesce(MachineState state, Cpu cpu)
    {
        if (!IsUsed || state.Read(_nesting[cpu.Index]) != 0 || state.Read(cpu.InterruptsOffAddress) != 0 || state.Read(cpu.InInterruptAddress) != 0)
        {
            return;
        }

        foreach (int waiting in _waitingFor)
        {
            state.Write(waiting, state.Read(waiting) & ~(1UL << cpu.Index));
        }
    }

    internal void AddQuiesceFootprint(Footprint footprint, Cpu cpu)
    {
        footprint.Read(_nesting[cpu.Index]);
        if (!IsUsed)
        {
            return;
        }

        foreach (int waiting in _waitingFor)
        {
            footprint.Write(waiting);
        }
    }

    /// <summary>True if programs may wait for grace periods; without it no step needs to look for waiters.</summary>
    private bool IsUsed => Machine.Options.GracePeriods;

    internal bool IsInSection(MachineState state, Cpu cpu) => state.Read(_nesting[cpu.Index]) != 0;

    internal Operation ReadSection(Cpu cpu, bool enters) => new SectionOperation(this, cpu, enters);

    internal Operation BeginGracePeriod(int waiter) => IsUsed
        ? new GracePeriodOperation(this, waiter, true)
        : throw new ProcRuleException("the program waits for an RCU grace period: set MachineOptions.GracePeriods");

    internal Operation EndGracePeriod(int waiter) => new GracePeriodOperation(this, waiter, false);

    internal Operation Enqueue(Cpu cpu, int callback, ulong argument) => IsUsed
        ? new EnqueueOperation(this, cpu, callback, argument)
        : throw new ProcRuleException("the program uses call_rcu: set MachineOptions.GracePeriods");

    [KernelName]
    private async Proc RunCallbacks()
    {
        Cpu cpu = Machine.Cpus[0];
        int waiter = Machine.Options.Cpus;
        while (true)
        {
            ulong entry = await new Op<ulong>(new DequeueOperation(this));
            await new Op(BeginGracePeriod(waiter));
            await new Op(EndGracePeriod(waiter));
            await _callbacks[(int)(entry >> 56)](cpu, entry & 0x00ff_ffff_ffff_ffff);
        }
    }

    private sealed class SectionOperation(Rcu rcu, Cpu cpu, bool enters) : Operation
    {
        public override string Text => enters ? "rcu_read_lock()" : "rcu_read_unlock()";

        public override StepWeight Weight => StepWeight.Context;

        public override HeldChange? HeldAfter(long result) => new HeldChange(string.Empty, HoldKind.Rcu, enters);

        public override long Execute(MachineState state, int alternative)
        {
            int nesting = rcu._nesting[cpu.Index];
            if (!enters && state.Read(nesting) == 0)
            {
                state.Violation ??= new Violation("assert", $"{cpu} leaves an RCU read section that it is not in.");
            }

            state.Write(nesting, state.Read(nesting) + (enters ? 1UL : ulong.MaxValue));
            if (!enters)
            {
                rcu.Quiesce(state, cpu);
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(rcu._nesting[cpu.Index]);
            footprint.Read(cpu.InterruptsOffAddress);
            footprint.Read(cpu.InInterruptAddress);
            rcu.AddQuiesceFootprint(footprint, cpu);
        }
    }

    private sealed class GracePeriodOperation(Rcu rcu, int waiter, bool begins) : Operation
    {
        public override string Text => begins ? "synchronize_rcu()" : "[ grace period ends ]";

        public override StepWeight Weight => StepWeight.Context;

        public override int Alternatives(MachineState state)
            => begins || state.Read(rcu._waitingFor[waiter]) == 0 ? 1 : 0;

        public override int BlockedOn(MachineState state) => rcu._waitingFor[waiter];

        public override long Execute(MachineState state, int alternative)
        {
            if (begins)
            {
                if (waiter < rcu.Machine.Cpus.Count)
                {
                    AtomicContext.JudgeSleep(state, rcu.Machine.Cpus[waiter], Text);
                }

                ulong open = 0;
                foreach (Cpu cpu in rcu.Machine.Cpus)
                {
                    bool isOpen = cpu.Index != waiter && (state.Read(rcu._nesting[cpu.Index]) != 0
                        || state.Read(cpu.InterruptsOffAddress) != 0 || state.Read(cpu.InInterruptAddress) != 0);
                    open |= isOpen ? 1UL << cpu.Index : 0;
                }

                state.Write(rcu._waitingFor[waiter], open);
                state.Record?.Note($"waits for {BitOperations.PopCount(open)} open read section(s)");
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(rcu._waitingFor[waiter]);
            if (begins && waiter < rcu.Machine.Cpus.Count)
            {
                AtomicContext.AddFootprint(footprint, rcu.Machine.Cpus[waiter]);
            }

            foreach (Cpu cpu in rcu.Machine.Cpus)
            {
                footprint.Read(rcu._nesting[cpu.Index]);
                footprint.Read(cpu.InterruptsOffAddress);
                footprint.Read(cpu.InInterruptAddress);
            }
        }
    }

    private sealed class EnqueueOperation(Rcu rcu, Cpu cpu, int callback, ulong argument) : Operation
    {
        public override string Text => "call_rcu()";

        public override StepWeight Weight => StepWeight.Key;

        public override int Alternatives(MachineState state)
            => state.Read(rcu._queueCount) < QueueDepth && cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

        public override long Execute(MachineState state, int alternative)
        {
            int count = (int)state.Read(rcu._queueCount);
            state.Write(rcu._queue + count, ((ulong)callback << 56) | argument);
            state.Write(rcu._queueCount, (ulong)count + 1);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(rcu._queueCount);
            footprint.WriteRange(rcu._queue, 2 * QueueDepth);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        }
    }

    private sealed class DequeueOperation(Rcu rcu) : Operation
    {
        public override string Text => "[ RCU callback ]";

        public override int Alternatives(MachineState state) => state.Read(rcu._queueCount) == 0 ? 0 : 1;

        public override int BlockedOn(MachineState state) => rcu._queueCount;

        public override long Execute(MachineState state, int alternative)
        {
            int count = (int)state.Read(rcu._queueCount);
            ulong entry = state.Read(rcu._queue);
            for (int i = 1; i < count; i++)
            {
                state.Write(rcu._queue + i - 1, state.Read(rcu._queue + i));
            }

            state.Write(rcu._queue + count - 1, 0);
            state.Write(rcu._queueCount, (ulong)count - 1);
            return unchecked((long)entry);
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(rcu._queueCount);
            footprint.WriteRange(rcu._queue, 2 * QueueDepth);
        }
    }
}
