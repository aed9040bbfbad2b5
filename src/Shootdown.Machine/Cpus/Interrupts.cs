using System.Numerics;

namespace Shootdown.Machine;

/// <summary>
/// Synchronous cross-calls (IPIs): a CPU marks its request pending at every target and waits until all of their handlers
/// returned. A target takes a pending request when its interrupts are on, in any order of senders; handler entry and
/// exit are full fences. Each CPU's handlers run in an interrupt context of their own, during which its task stands still.
/// </summary>
public sealed class Interrupts
{
    private readonly MachineModel _machine;
    private readonly int[] _pending;
    private readonly int[] _outstanding;
    private readonly int[] _function;
    private readonly List<(string Name, Func<Cpu, Cpu, Proc> Code)> _handlers = [];

    internal Interrupts(MachineModel machine)
    {
        _machine = machine;
        int cpus = machine.Options.Cpus;
        _pending = [.. Enumerable.Range(0, cpus).Select(c => machine.Allocate($"cpu{c}.ipi_pending", WordKind.Hardware))];
        _outstanding = [.. Enumerable.Range(0, cpus).Select(c => machine.Allocate($"cpu{c}.ipi_outstanding", WordKind.Hardware))];
        _function = [.. Enumerable.Range(0, cpus).Select(c => machine.Allocate($"cpu{c}.ipi_function", WordKind.Hardware))];
    }

    /// <summary>Registers a cross-call function (target, sender) and returns its number.</summary>
    public int RegisterFunction(string name, Func<Cpu, Cpu, Proc> code)
    {
        _handlers.Add((name, code));
        return _handlers.Count - 1;
    }

    internal void AddAgents()
    {
        if (_handlers.Count > 0)
        {
            foreach (Cpu cpu in _machine.Cpus)
            {
                _machine.AddAgent("interrupt", AgentKind.Interrupt, cpu, true, () => HandleInterrupts(cpu));
            }
        }
    }

    internal Operation Send(Cpu sender, ulong mask, int function) => new SendOperation(this, sender, mask, function);

    internal Operation AwaitAcknowledgements(Cpu sender) => new AwaitOperation(this, sender);

    private async Proc HandleInterrupts(Cpu cpu)
    {
        while (true)
        {
            int request = await new Op<int>(new TakeOperation(this, cpu));
            Cpu sender = _machine.Cpus[request & 0xff];
            await _handlers[request >> 8].Code(cpu, sender);
            await new Op(new AcknowledgeOperation(this, cpu, sender));
        }
    }

    private static string MaskText(ulong mask)
    {
        var names = new List<string>();
        for (int cpu = 0; cpu < 64; cpu++)
        {
            if ((mask & (1UL << cpu)) != 0)
            {
                names.Add($"CPU{cpu}");
            }
        }

        return string.Join(", ", names);
    }

    private sealed class SendOperation(Interrupts interrupts, Cpu sender, ulong mask, int function) : Operation
    {
        public override string Text => $"[ IPI to {MaskText(mask)} ]";

        public override StepWeight Weight => StepWeight.Key;

        public override int Alternatives(MachineState state) => sender.Machine.Model.IsDrained(state, sender) ? 1 : 0;

        public override long Execute(MachineState state, int alternative)
        {
            if ((mask & (1UL << sender.Index)) != 0)
            {
                throw new ProcRuleException($"{sender} sent an IPI to itself: run the function locally instead");
            }

            for (ulong rest = mask; rest != 0; rest &= rest - 1)
            {
                int target = interrupts._pending[BitOperations.TrailingZeroCount(rest)];
                state.Write(target, state.Read(target) | (1UL << sender.Index));
            }

            state.Write(interrupts._outstanding[sender.Index], mask);
            state.Write(interrupts._function[sender.Index], (ulong)function);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            for (ulong rest = mask; rest != 0; rest &= rest - 1)
            {
                footprint.Write(interrupts._pending[BitOperations.TrailingZeroCount(rest)]);
            }

            footprint.Write(interrupts._outstanding[sender.Index]);
            footprint.Write(interrupts._function[sender.Index]);
            sender.Machine.Model.AddDrainFootprint(footprint, sender);
        }
    }

    private sealed class AwaitOperation(Interrupts interrupts, Cpu sender) : Operation
    {
        public override string Text => "[ all IPIs acknowledged ]";

        public override StepWeight Weight => StepWeight.Context;

        public override int Alternatives(MachineState state) => state.Read(interrupts._outstanding[sender.Index]) == 0 ? 1 : 0;

        public override int BlockedOn(MachineState state) => interrupts._outstanding[sender.Index];

        public override long Execute(MachineState state, int alternative)
        {
            state.Write(interrupts._function[sender.Index], 0);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Read(interrupts._outstanding[sender.Index]);
            footprint.Write(interrupts._function[sender.Index]);
        }
    }

    private sealed class TakeOperation(Interrupts interrupts, Cpu cpu) : Operation
    {
        public override string Text => "[ IPI received ]";

        public override StepWeight Weight => StepWeight.Context;

        public override int Alternatives(MachineState state)
        {
            ulong pending = state.Read(interrupts._pending[cpu.Index]);
            return pending == 0 || state.Read(cpu.InterruptsOffAddress) != 0 || !cpu.Machine.Model.IsDrained(state, cpu)
                ? 0
                : BitOperations.PopCount(pending);
        }

        public override int BlockedOn(MachineState state)
            => state.Read(cpu.InterruptsOffAddress) != 0 ? cpu.InterruptsOffAddress
                : state.Read(interrupts._pending[cpu.Index]) == 0 ? interrupts._pending[cpu.Index] : -1;

        public override long Execute(MachineState state, int alternative)
        {
            int address = interrupts._pending[cpu.Index];
            ulong pending = state.Read(address);
            ulong rest = pending;
            for (int i = 0; i < alternative; i++)
            {
                rest &= rest - 1;
            }

            int sender = BitOperations.TrailingZeroCount(rest);
            state.Write(address, pending & ~(1UL << sender));
            state.Write(cpu.InInterruptAddress, 1);
            state.Record?.Note($"from CPU{sender}");
            return ((long)state.Read(interrupts._function[sender]) << 8) | (long)sender;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(interrupts._pending[cpu.Index]);
            footprint.Read(cpu.InterruptsOffAddress);
            footprint.Write(cpu.InInterruptAddress);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
            foreach (int function in interrupts._function)
            {
                footprint.Read(function);
            }
        }
    }

    private sealed class AcknowledgeOperation(Interrupts interrupts, Cpu cpu, Cpu sender) : Operation
    {
        public override string Text => "[ IPI acknowledged ]";

        public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

        public override long Execute(MachineState state, int alternative)
        {
            int address = interrupts._outstanding[sender.Index];
            state.Write(address, state.Read(address) & ~(1UL << cpu.Index));
            state.Write(cpu.InInterruptAddress, 0);
            cpu.Machine.Rcu.Quiesce(state, cpu);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(interrupts._outstanding[sender.Index]);
            footprint.Write(cpu.InInterruptAddress);
            footprint.Read(cpu.InterruptsOffAddress);
            cpu.Machine.Rcu.AddQuiesceFootprint(footprint, cpu);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        }
    }
}
