using System.Numerics;

namespace Shootdown.Machine;

/// <summary>
/// Broadcast invalidation that is not waited for (AMD INVLPGB): a request reaches each CPU's TLB at some later time, in any order;
/// TLBSYNC on the CPU that made it waits until all CPUs have done it. One bit a (sender, target, ASID, page).
/// </summary>
public sealed class BroadcastUnit : MachineHandle
{
    private const int WordBits = 64;
    private readonly int[] _outstanding;
    private readonly int _requests;

    /// <summary>Makes the unit and its hardware; while the machine is built.</summary>
    public BroadcastUnit(MachineModel machine)
        : base(machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        _outstanding = [];
        if (machine.Timed is not null)
        {
            return;
        }

        _requests = machine.Options.Asids * (machine.Paging.PageCount + 1);
        if (_requests > WordBits)
        {
            throw new ArgumentException($"broadcast invalidation handles ASIDs x (pages + 1) up to {WordBits}, not {_requests}", nameof(machine));
        }

        int cpus = machine.Cpus.Count;
        _outstanding = [.. machine.Cpus.Select(cpu => machine.AllocateRange($"cpu{cpu.Index}.invlpgb", WordKind.Hardware, cpus))];
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddAgent("INVLPGB", AgentKind.Reactive, cpu, true, () => Serve(cpu));
        }
    }

    /// <summary>INVLPGB: asks all CPUs to drop a page, or everything (page -1), of an ASID. Does not wait.</summary>
    public Op Invlpgb(Cpu cpu, int asid, int page = -1)
        => Machine.Timed is { } timed ? timed.Broadcast(cpu, asid, page) : new(new RequestOperation(this, cpu, asid, page));

    /// <summary>TLBSYNC: waits until all requests of this CPU have been done everywhere.</summary>
    public Op Tlbsync(Cpu cpu) => Machine.Timed is { } timed ? timed.AwaitBroadcasts(cpu) : new(new SyncOperation(this, cpu));

    [KernelName]
    private async Proc Serve(Cpu cpu)
    {
        while (true)
        {
            await new Op(new ServeOperation(this, cpu));
        }
    }

    private sealed class RequestOperation(BroadcastUnit unit, Cpu cpu, int asid, int page) : Operation
    {
        public override string Text => page < 0 ? $"[ INVLPGB ASID {asid} ]" : $"[ INVLPGB ASID {asid}, {Paging.AddressText(page)} ]";

        public override StepWeight Weight => StepWeight.Key;

        /// <summary>Useful if some CPU may hold something old when the request is made.</summary>
        public override CostEvent CostOf(MachineState state) => new(
            CostKind.Broadcasts, 1, cpu.Machine.Cpus.Any(target => cpu.Machine.Paging.Tlb.HoldsStale(state, target, asid, page)));

        public override long Execute(MachineState state, int alternative)
        {
            ulong bit = 1UL << ((asid * (cpu.Machine.Paging.PageCount + 1)) + page + 1);
            for (int target = 0; target < cpu.Machine.Cpus.Count; target++)
            {
                int address = unit._outstanding[cpu.Index] + target;
                state.Write(address, state.Read(address) | bit);
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.WriteRange(unit._outstanding[cpu.Index], cpu.Machine.Cpus.Count);
            foreach (Cpu target in cpu.Machine.Cpus)
            {
                cpu.Machine.Paging.Tlb.AddCostFootprint(footprint, target);
            }
        }
    }

    private sealed class SyncOperation(BroadcastUnit unit, Cpu cpu) : Operation
    {
        public override string Text => "[ TLBSYNC ]";

        public override StepWeight Weight => StepWeight.Key;

        public override int Alternatives(MachineState state)
            => BlockedOn(state) < 0 && cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

        public override int BlockedOn(MachineState state)
        {
            for (int target = 0; target < cpu.Machine.Cpus.Count; target++)
            {
                if (state.Read(unit._outstanding[cpu.Index] + target) != 0)
                {
                    return unit._outstanding[cpu.Index] + target;
                }
            }

            return -1;
        }

        public override long Execute(MachineState state, int alternative) => 0;

        public override void AddFootprint(Footprint footprint)
        {
            footprint.ReadRange(unit._outstanding[cpu.Index], cpu.Machine.Cpus.Count);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        }
    }

    /// <summary>A CPU's TLB does one of the requests that have reached it: one alternative each.</summary>
    private sealed class ServeOperation(BroadcastUnit unit, Cpu cpu) : Operation
    {
        public override string Text => "[ INVLPGB done ]";

        public override StepWeight Weight => StepWeight.Context;

        public override int Alternatives(MachineState state)
        {
            int count = 0;
            foreach (int first in unit._outstanding)
            {
                count += BitOperations.PopCount(state.Read(first + cpu.Index));
            }

            return count;
        }

        public override long Execute(MachineState state, int alternative)
        {
            int rest = alternative;
            foreach (int first in unit._outstanding)
            {
                ulong bits = state.Read(first + cpu.Index);
                if (rest >= BitOperations.PopCount(bits))
                {
                    rest -= BitOperations.PopCount(bits);
                    continue;
                }

                ulong left = bits;
                for (; rest > 0; rest--)
                {
                    left &= left - 1;
                }

                int request = BitOperations.TrailingZeroCount(left);
                state.Write(first + cpu.Index, bits & ~(1UL << request));
                Drop(state, request);
                break;
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            foreach (int first in unit._outstanding)
            {
                footprint.Write(first + cpu.Index);
            }

            TlbInspector.AddFlushFootprint(footprint, cpu);
        }

        private void Drop(MachineState state, int request)
        {
            Paging paging = cpu.Machine.Paging;
            int asid = request / (paging.PageCount + 1);
            int page = (request % (paging.PageCount + 1)) - 1;
            state.Record?.Note(page < 0 ? $"ASID {asid}" : $"ASID {asid}, {Paging.AddressText(page)}");
            if (page < 0)
            {
                paging.Tlb.FlushAsid(state, cpu, asid);
            }
            else
            {
                paging.Tlb.FlushPage(state, cpu, asid, page, WalkCacheScope.All);
            }
        }
    }
}
