using System.Numerics;

namespace Shootdown.Machine;

/// <summary>The steps of a cross-call.</summary>
public sealed partial class Interrupts
{
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

    private sealed class SendOperation(Interrupts interrupts, Cpu sender, ulong mask, int function, ulong argument) : Operation
    {
        public override string Text => interrupts._ticks.Contains(function) ? $"[ due at the tick of {MaskText(mask)} ]" : $"[ IPI to {MaskText(mask)} ]";

        public override StepWeight Weight => StepWeight.Key;

        public override int Alternatives(MachineState state) => sender.Machine.Model.IsDrained(state, sender) ? 1 : 0;

        public override CostEvent CostOf(MachineState state)
            => interrupts._ticks.Contains(function) ? CostEvent.None : new(CostKind.IpisSent, BitOperations.PopCount(mask));

        public override long Execute(MachineState state, int alternative)
        {
            if ((mask & (1UL << sender.Index)) != 0)
            {
                throw new ProcRuleException($"{sender} sent an IPI to itself: run the function locally instead");
            }

            for (ulong rest = mask; rest != 0; rest &= rest - 1)
            {
                int target = BitOperations.TrailingZeroCount(rest);
                int pending = interrupts._pending[target];
                state.Write(pending, state.Read(pending) | (1UL << sender.Index));
                state.Write(interrupts._outstanding[sender.Index] + target, 1);
            }

            state.Write(interrupts._function[sender.Index], (ulong)function);
            state.Write(interrupts._argument[sender.Index], argument);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            for (ulong rest = mask; rest != 0; rest &= rest - 1)
            {
                int target = BitOperations.TrailingZeroCount(rest);
                footprint.Write(interrupts._pending[target]);
                footprint.Write(interrupts._outstanding[sender.Index] + target);
            }

            footprint.Write(interrupts._function[sender.Index]);
            footprint.Write(interrupts._argument[sender.Index]);
            sender.Machine.Model.AddDrainFootprint(footprint, sender);
        }
    }

    private sealed class AwaitOperation(Interrupts interrupts, Cpu sender) : Operation
    {
        public override string Text => "[ all IPIs acknowledged ]";

        public override StepWeight Weight => StepWeight.Context;

        public override int Alternatives(MachineState state) => BlockedOn(state) < 0 ? 1 : 0;

        public override bool WaitsForZero(int address)
        {
            int first = interrupts._outstanding[sender.Index];
            return address >= first && address < first + sender.Machine.Cpus.Count;
        }

        public override int BlockedOn(MachineState state)
        {
            int first = interrupts._outstanding[sender.Index];
            for (int target = 0; target < sender.Machine.Cpus.Count; target++)
            {
                if (state.Read(first + target) != 0)
                {
                    return first + target;
                }
            }

            return -1;
        }

        public override long Execute(MachineState state, int alternative)
        {
            state.Write(interrupts._function[sender.Index], 0);
            state.Write(interrupts._argument[sender.Index], 0);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.ReadRange(interrupts._outstanding[sender.Index], sender.Machine.Cpus.Count);
            footprint.Write(interrupts._function[sender.Index]);
            footprint.Write(interrupts._argument[sender.Index]);
        }
    }

    private sealed class TakeOperation(Interrupts interrupts, Cpu cpu) : Operation
    {
        public override string Text => "[ IPI received ]";

        public override bool IsServedInTurn => true;

        public override StepWeight Weight => interrupts._atomic.Count > 0 ? StepWeight.Key : StepWeight.Context;

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
            state.Record?.Note(interrupts._ticks.Contains((int)state.Read(interrupts._function[sender])) ? $"tick, asked by CPU{sender}" : $"from CPU{sender}");
            if (interrupts._atomic.TryGetValue((int)state.Read(interrupts._function[sender]), out AtomicHandler? handler))
            {
                handler.Run(state, cpu, cpu.Machine.Cpus[sender]);
                state.Write(interrupts._outstanding[sender] + cpu.Index, 0);
                return -1;
            }

            cpu.Machine.Costs?.HandlerStarts(state, cpu, sender);
            state.Write(cpu.InInterruptAddress, 1);
            return ((long)state.Read(interrupts._function[sender]) << 8) | (long)sender;
        }

        public override CostEvent CostOf(MachineState state) => OnlyTicks(state) ? CostEvent.None : new(CostKind.IpisReceived, 1);

        /// <summary>If a tick and an IPI are pending both, what is taken counts as an IPI.</summary>
        private bool OnlyTicks(MachineState state)
        {
            ulong rest = interrupts._ticks.Count == 0 ? 0 : state.Read(interrupts._pending[cpu.Index]);
            bool only = rest != 0;
            for (; rest != 0; rest &= rest - 1)
            {
                only &= interrupts._ticks.Contains((int)state.Read(interrupts._function[BitOperations.TrailingZeroCount(rest)]));
            }

            return only;
        }

        public override long ResultUnder(Permutation permutation, long result)
            => result < 0 ? result : (result & ~0xffL) | (long)permutation.CpuOf((int)(result & 0xff));

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(interrupts._pending[cpu.Index]);
            footprint.Read(cpu.InterruptsOffAddress);
            cpu.Machine.Costs?.AddHandlerFootprint(footprint, cpu);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
            for (int sender = 0; sender < cpu.Machine.Cpus.Count; sender++)
            {
                footprint.Read(interrupts._function[sender]);
                footprint.Read(interrupts._argument[sender]);
                if (interrupts._atomic.Count > 0)
                {
                    footprint.Write(interrupts._outstanding[sender] + cpu.Index);
                }
            }

            foreach (AtomicHandler handler in interrupts._atomic.Values)
            {
                handler.AddFootprint(footprint, cpu);
            }

            if (interrupts._atomic.Count < interrupts._handlers.Count)
            {
                footprint.Write(cpu.InInterruptAddress);
            }
        }
    }

    /// <summary>The argument is fixed from the request to its acknowledgement: reading it in between is no scheduling point.</summary>
    private sealed class ArgumentOperation(Interrupts interrupts, Cpu sender) : Operation
    {
        public override string Text => "read the argument of the cross-call";

        public override bool IsLocal => true;

        public override long Execute(MachineState state, int alternative) => unchecked((long)interrupts.ArgumentOf(state, sender));

        public override void AddFootprint(Footprint footprint) => footprint.Read(interrupts._argument[sender.Index]);
    }

    private sealed class AcknowledgeOperation(Interrupts interrupts, Cpu cpu, Cpu sender) : Operation
    {
        public override string Text => "[ IPI acknowledged ]";

        public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

        public override long Execute(MachineState state, int alternative)
        {
            state.Write(interrupts._outstanding[sender.Index] + cpu.Index, 0);
            state.Write(cpu.InInterruptAddress, 0);
            cpu.Machine.Costs?.HandlerEnds(state, cpu);
            cpu.Machine.Rcu.Quiesce(state, cpu);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(interrupts._outstanding[sender.Index] + cpu.Index);
            footprint.Write(cpu.InInterruptAddress);
            footprint.Read(cpu.InterruptsOffAddress);
            cpu.Machine.Costs?.AddHandlerFootprint(footprint, cpu);
            cpu.Machine.Rcu.AddQuiesceFootprint(footprint, cpu);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        }
    }
}
