namespace Shootdown.Machine;

/// <summary>An access of a device to a frame, without any translation.</summary>
/// <param name="Device">Its name.</param>
/// <param name="Frame">The frame.</param>
/// <param name="IsWrite">True for a write.</param>
/// <param name="IsLive">False if the frame is free.</param>
public readonly record struct DeviceAccess(string Device, int Frame, bool IsWrite, bool IsLive);

/// <summary>
/// A device that reads and writes frames by their number: what O_DIRECT, RDMA and the like hand it is a page that somebody pinned, and
/// nothing tells it when the page moves. One transfer at a time: a driver submits it and waits until the request word is 0 again.
/// </summary>
public sealed class DmaEngine : MachineHandle
{
    private const ulong WriteBit = 1 << 16;
    private const int ValueShift = 32;

    /// <summary>Makes the device and starts it; while the machine is built.</summary>
    public DmaEngine(MachineModel machine, string name = "disk")
        : base(machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        Name = name;
        Request = machine.NewWord($"{name}.request");
        machine.AddAgent(name, AgentKind.Reactive, null, true, Serve);
    }

    /// <summary>Name for reports: the device's column.</summary>
    public string Name { get; }

    /// <summary>What the device is asked to do; 0 once it is done.</summary>
    public Word Request { get; }

    /// <summary>Asks the device to write a value to a frame (a read from a disk).</summary>
    public Op SubmitWrite(Cpu cpu, int frame, int value)
        => Submit(cpu, ((ulong)(uint)value << ValueShift) | WriteBit | (uint)(frame + 1));

    /// <summary>Asks the device to read a frame (a write to a disk).</summary>
    public Op SubmitRead(Cpu cpu, int frame) => Submit(cpu, (uint)(frame + 1));

    /// <summary>Waits until the transfer is done.</summary>
    public Op<ulong> AwaitCompletion(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return cpu.WaitUntil(Request, Condition.Equal, 0);
    }

    private Op Submit(Cpu cpu, ulong request)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return cpu.Store(Request, request, MemoryOrder.Release, StepWeight.Key);
    }

    [KernelName("dma")]
    private async Proc Serve()
    {
        while (true)
        {
            await new Op(new TransferOperation(this));
        }
    }

    private sealed class TransferOperation(DmaEngine device) : Operation
    {
        private readonly Paging _paging = device.Machine.Paging;

        public override string Text => "DMA";

        public override StepWeight Weight => StepWeight.Key;

        public override int Alternatives(MachineState state) => state.Read(device.Request.Address) == 0 ? 0 : 1;

        public override int BlockedOn(MachineState state) => device.Request.Address;

        public override long Execute(MachineState state, int alternative)
        {
            ulong request = state.Read(device.Request.Address);
            int frame = (int)(request & (WriteBit - 1)) - 1;
            bool write = (request & WriteBit) != 0;
            if (state.Record is { } record)
            {
                record.Text = write ? $"DMA: writes frame {frame}" : $"DMA: reads frame {frame}";
            }

            if (write)
            {
                state.Write(_paging.FrameContentAddress(frame), request >> ValueShift);
            }

            state.Write(device.Request.Address, 0);
            var access = new DeviceAccess(device.Name, frame, write, state.Read(_paging.FrameLifeAddress(frame)) != 0);
            foreach (MachineMonitor monitor in device.Machine.Monitors)
            {
                monitor.OnDeviceAccess(state, access);
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(device.Request.Address);
            for (int frame = 0; frame < _paging.Frames.Count; frame++)
            {
                footprint.Write(_paging.FrameContentAddress(frame));
                footprint.Read(_paging.FrameLifeAddress(frame));
                foreach (MachineMonitor monitor in device.Machine.Monitors)
                {
                    monitor.AddDeviceFootprint(footprint, frame);
                }
            }
        }
    }
}
