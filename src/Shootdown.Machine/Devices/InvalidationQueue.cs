using System.Numerics;

namespace Shootdown.Machine;

/// <summary>What an invalidation command drops.</summary>
public enum InvalidationKind
{
    /// <summary>No command.</summary>
    None,

    /// <summary>Pages of the IOTLB, with what the paging-structure cache holds on the way to them.</summary>
    Iotlb,

    /// <summary>Pages of the IOTLB, leaf entries only (the "invalidation hint").</summary>
    IotlbLeaf,

    /// <summary>Everything that the IOMMU caches of the PASID, the PASID's entry included.</summary>
    Pasid,

    /// <summary>Pages of the device's own TLB.</summary>
    DeviceTlb,

    /// <summary>Everything in the device's own TLB.</summary>
    DeviceTlbAll,

    /// <summary>A wait descriptor: done when all commands before it are.</summary>
    Wait,
}

/// <summary>One command of the queue.</summary>
/// <param name="Bits">Kind in bits 0 to 2, first page (for a wait: the CPU) in bits 3 to 8, number of pages in bits 9 to 14.</param>
public readonly record struct InvalidationCommand(ushort Bits)
{
    /// <summary>The kind.</summary>
    public InvalidationKind Kind => (InvalidationKind)(Bits & 7);

    /// <summary>First page; the CPU that a wait descriptor is of.</summary>
    public int First => (Bits >> 3) & 63;

    /// <summary>Number of pages.</summary>
    public int Count => Bits >> 9;

    /// <summary>A command on pages.</summary>
    /// <exception cref="ProcRuleException">The range does not fit a command: pages are 0 to 63.</exception>
    public static InvalidationCommand Of(InvalidationKind kind, int first = 0, int count = 0)
        => first is >= 0 and < 64 && count is >= 0 and < 64
            ? new InvalidationCommand((ushort)((int)kind | (first << 3) | (count << 9)))
            : throw new ProcRuleException($"an invalidation of {count} pages from page {first}: a command holds pages 0 to 63");

    /// <inheritdoc/>
    public override string ToString()
    {
        string range = Count == 1 ? Paging.AddressText(First) : $"{Paging.AddressText(First)}-{Paging.AddressText(First + Count - 1)}";
        return Kind switch
        {
            InvalidationKind.Iotlb => $"IOTLB {range}",
            InvalidationKind.IotlbLeaf => $"IOTLB {range}, leaf",
            InvalidationKind.Pasid => "PASID cache and IOTLB",
            InvalidationKind.DeviceTlb => $"device TLB {range}",
            InvalidationKind.DeviceTlbAll => "device TLB",
            InvalidationKind.Wait => $"wait descriptor of CPU{First}",
            _ => "nothing",
        };
    }
}

/// <summary>
/// The invalidation queue of an IOMMU: commands are submitted by CPUs and executed later by the hardware. Commands between two wait
/// descriptors are executed in any order; a wait descriptor reports when all before it are done. Up to 4 commands are queued; who submits
/// more waits for room.
/// </summary>
public sealed class InvalidationQueue : MachineHandle
{
    private const int Lanes = 4;
    private readonly Device _device;
    private readonly int _queue;
    private readonly Word[] _status;

    internal InvalidationQueue(Device device)
        : base(device.Machine)
    {
        _device = device;
        _queue = Machine.Allocate($"{device.Name}.invalidation_queue", WordKind.Hardware);
        _status = [.. Enumerable.Range(0, Machine.Options.Cpus).Select(cpu => Machine.NewWord($"{device.Name}.wait_status[{cpu}]"))];
    }

    /// <summary>Queues a command and, if asked for, a wait descriptor of this CPU behind it (<c>qi_submit_sync</c>, first half).</summary>
    public Op Submit(Cpu cpu, InvalidationCommand command, bool withWait = true) => new(new SubmitOperation(this, cpu, command, withWait));

    /// <summary>Waits until this CPU's wait descriptor is done (<c>qi_submit_sync</c>, second half).</summary>
    public Op<ulong> Await(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return cpu.WaitUntil(_status[cpu.Index], Condition.Equal, 0);
    }

    internal void AddAgents() => Machine.AddAgent("IOMMU", AgentKind.Reactive, null, true, Execute);

    private async Proc Execute()
    {
        while (true)
        {
            await new Op(new ExecuteOperation(this));
        }
    }

    private static int CountOf(ulong queue) => (79 - BitOperations.LeadingZeroCount(queue)) / 16;

    private static InvalidationCommand At(ulong queue, int lane) => new((ushort)(queue >> (16 * lane)));

    /// <summary>The CPU that waits for the command in a lane: that of the next wait descriptor; -1 if nobody does.</summary>
    private static int WaiterBehind(ulong queue, int lane)
    {
        for (int i = lane; i < CountOf(queue); i++)
        {
            if (At(queue, i).Kind == InvalidationKind.Wait)
            {
                return At(queue, i).First;
            }
        }

        return -1;
    }

    private sealed class SubmitOperation(InvalidationQueue queue, Cpu cpu, InvalidationCommand command, bool withWait) : Operation
    {
        private int Needed => withWait ? 2 : 1;

        public override string Text => $"qi_submit({command})";

        public override StepWeight Weight => StepWeight.Key;

        // The queue's tail register is written behind a full fence: stores to page tables are visible to the hardware before.
        public override int Alternatives(MachineState state)
            => queue.Machine.Model.IsDrained(state, cpu) && CountOf(state.Read(queue._queue)) + Needed <= Lanes ? 1 : 0;

        public override long Execute(MachineState state, int alternative)
        {
            ulong queued = state.Read(queue._queue);
            int count = CountOf(queued);
            queued |= (ulong)command.Bits << (16 * count);
            if (withWait)
            {
                queued |= (ulong)InvalidationCommand.Of(InvalidationKind.Wait, cpu.Index).Bits << (16 * (count + 1));
                state.Write(queue._status[cpu.Index].Address, 1);
            }

            state.Write(queue._queue, queued);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(queue._queue);
            footprint.Write(queue._status[cpu.Index].Address);
            queue.Machine.Model.AddDrainFootprint(footprint, cpu);
        }
    }

    private sealed class ExecuteOperation(InvalidationQueue queue) : Operation
    {
        private readonly TlbModel _tlb = queue.Machine.Paging.Tlb;

        public override string Text => "[ invalidation ]";

        public override StepWeight Weight => StepWeight.Key;

        public override int Alternatives(MachineState state)
        {
            ulong queued = state.Read(queue._queue);
            int count = CountOf(queued);
            int before = 0;
            while (before < count && At(queued, before).Kind != InvalidationKind.Wait)
            {
                before++;
            }

            return before == 0 && count > 0 ? 1 : before;
        }

        public override int BlockedOn(MachineState state) => queue._queue;

        public override long Execute(MachineState state, int alternative)
        {
            ulong queued = state.Read(queue._queue);
            InvalidationCommand command = At(queued, alternative);
            ulong below = (1UL << (16 * alternative)) - 1;
            ulong above = alternative == Lanes - 1 ? 0 : queued >> (16 * (alternative + 1)) << (16 * alternative);
            state.Write(queue._queue, (queued & below) | above);
            if (state.Record is { } record)
            {
                record.Text = command.Kind == InvalidationKind.Wait ? $"[ {command} done ]" : $"[ invalidates {command} ]";
                record.Weight = command.Kind == InvalidationKind.Wait ? StepWeight.Context : StepWeight.Key;
            }

            if (command.Kind == InvalidationKind.Wait)
            {
                state.Write(queue._status[command.First].Address, 0);
            }
            else
            {
                bool dropsOld = _tlb.DropsOld(state, queue._device, command);
                foreach (MachineMonitor monitor in queue.Machine.Monitors)
                {
                    monitor.OnDeviceInvalidated(state, queue._device, command, dropsOld);
                }

                queue.Machine.Costs?.ChargeSecondary(state, WaiterBehind(queued, alternative), dropsOld);
                _tlb.DeviceInvalidate(state, queue._device, command);
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(queue._queue);
            foreach (Word status in queue._status)
            {
                footprint.Write(status.Address);
            }

            _tlb.AddDeviceInvalidateFootprint(footprint, queue._device);
        }
    }
}
