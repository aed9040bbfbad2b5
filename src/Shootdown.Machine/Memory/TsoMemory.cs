namespace Shootdown.Machine;

/// <summary>
/// x86-TSO as an abstract machine (Owens, Sarkar, Sewell, "A better x86 memory model", TPHOLs 2009): each CPU has a FIFO
/// of stores; a load takes the newest store of its own CPU to the address, else memory; locked instructions and
/// MFENCE wait until the FIFO is empty; a hardware agent a CPU moves the oldest store to memory at any time.
/// </summary>
/// <remarks>The FIFO is bounded (a store waits while it is full), which loses no behaviour of real, bounded buffers of that size.</remarks>
public sealed class TsoMemory : MemoryModel
{
    private readonly int _depth;
    private readonly int[] _count;
    private readonly int[] _first;

    /// <summary>Allocates the buffers of all CPUs.</summary>
    public TsoMemory(MachineModel machine, int depth)
        : base(machine)
    {
        _depth = depth;
        _count = new int[machine.Options.Cpus];
        _first = new int[machine.Options.Cpus];
        for (int cpu = 0; cpu < machine.Options.Cpus; cpu++)
        {
            _count[cpu] = machine.Allocate($"cpu{cpu}.store_buffer.count", WordKind.Hardware);
            _first[cpu] = machine.AllocateRange($"cpu{cpu}.store_buffer", WordKind.Hardware, 2 * depth);
        }
    }

    /// <inheritdoc/>
    public override string Name => "x86-tso";

    /// <inheritdoc/>
    public override ulong Load(MachineState state, Cpu cpu, int address, MemoryOrder order, int alternative)
    {
        int first = _first[cpu.Index];
        for (int i = (int)state.Read(_count[cpu.Index]) - 1; i >= 0; i--)
        {
            if ((int)state.Read(first + (2 * i)) == address)
            {
                return state.Read(first + (2 * i) + 1);
            }
        }

        return state.Read(address);
    }

    /// <inheritdoc/>
    public override int StoreAlternatives(MachineState state, Cpu cpu, MemoryOrder order)
        => (int)state.Read(_count[cpu.Index]) < _depth ? 1 : 0;

    /// <inheritdoc/>
    public override void Store(MachineState state, Cpu cpu, int address, ulong value, MemoryOrder order)
    {
        int count = (int)state.Read(_count[cpu.Index]);
        int slot = _first[cpu.Index] + (2 * count);
        state.Write(slot, (ulong)address);
        state.Write(slot + 1, value);
        state.Write(_count[cpu.Index], (ulong)count + 1);
        state.Record?.Note("[ in store buffer ]");
    }

    /// <inheritdoc/>
    public override bool IsDrained(MachineState state, Cpu cpu) => state.Read(_count[cpu.Index]) == 0;

    /// <inheritdoc/>
    public override void AddLoadFootprint(Footprint footprint, Cpu cpu, int address)
    {
        footprint.Read(address);
        AddDrainFootprint(footprint, cpu);
    }

    /// <inheritdoc/>
    public override void AddStoreFootprint(Footprint footprint, Cpu cpu, int address)
    {
        footprint.Write(_count[cpu.Index]);
        footprint.WriteRange(_first[cpu.Index], 2 * _depth);
    }

    /// <inheritdoc/>
    public override void AddDrainFootprint(Footprint footprint, Cpu cpu)
    {
        footprint.Read(_count[cpu.Index]);
        footprint.ReadRange(_first[cpu.Index], 2 * _depth);
    }

    /// <inheritdoc/>
    public override void AddAgents()
    {
        foreach (Cpu cpu in Machine.Cpus)
        {
            Machine.AddAgent("store buffer", AgentKind.Reactive, cpu, true, () => DrainForEver(cpu));
        }
    }

    [KernelName]
    private async Proc DrainForEver(Cpu cpu)
    {
        while (true)
        {
            await new Op(new DrainOldest(this, cpu));
        }
    }

    private sealed class DrainOldest(TsoMemory memory, Cpu cpu) : Operation
    {
        public override string Text => "[ store buffer drains ]";

        public override StepWeight Weight => StepWeight.Context;

        public override int Alternatives(MachineState state) => memory.IsDrained(state, cpu) ? 0 : 1;

        public override int BlockedOn(MachineState state) => memory._count[cpu.Index];

        public override long Execute(MachineState state, int alternative)
        {
            int first = memory._first[cpu.Index];
            int count = (int)state.Read(memory._count[cpu.Index]);
            int address = (int)state.Read(first);
            ulong value = state.Read(first + 1);
            for (int i = 0; i < 2 * (count - 1); i++)
            {
                state.Write(first + i, state.Read(first + i + 2));
            }

            state.Write(first + (2 * count) - 2, 0);
            state.Write(first + (2 * count) - 1, 0);
            state.Write(memory._count[cpu.Index], (ulong)count - 1);
            if (state.Record is { } record)
            {
                record.Text = $"[ store to {memory.Machine.WordInfo(address).Name} reaches memory ]";
                record.Weight = memory.Machine.WordInfo(address).Kind == WordKind.Hardware ? StepWeight.Detail : StepWeight.Context;
            }

            memory.Machine.Commit(state, address, value);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            memory.AddStoreFootprint(footprint, cpu, 0);
            memory.Machine.AddAnyCommitFootprint(footprint);
        }
    }
}
