namespace Shootdown.Machine;

/// <summary>The memory models a machine can follow.</summary>
public enum MemoryModelKind
{
    /// <summary>Sequential consistency: one order of all accesses that every CPU sees.</summary>
    Sc,

    /// <summary>x86-TSO (Owens, Sarkar, Sewell 2009): a FIFO store buffer a CPU, loads forward from it.</summary>
    X86Tso,
}

/// <summary>How strongly an access is ordered with the others of its CPU; a weak model reads it.</summary>
public enum MemoryOrder
{
    /// <summary><c>READ_ONCE</c>, <c>WRITE_ONCE</c>, relaxed atomics.</summary>
    Relaxed,

    /// <summary><c>smp_load_acquire</c>.</summary>
    Acquire,

    /// <summary><c>smp_store_release</c>, unlock.</summary>
    Release,

    /// <summary>A fully ordered atomic, <c>smp_mb</c>.</summary>
    Full,
}

/// <summary>
/// What a CPU's loads, stores and barriers mean. Kernel code never sees it: operations ask the machine's model whether
/// they may happen now, in how many ways, and with which value. A model with views (arm64) answers more than one way.
/// </summary>
public abstract class MemoryModel(MachineModel machine) : MachineHandle(machine)
{
    /// <summary>Name as on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>In how many ways a load can be satisfied now.</summary>
    public virtual int LoadAlternatives(MachineState state, Cpu cpu, int address, MemoryOrder order) => 1;

    /// <summary>The value that a load returns in the given way.</summary>
    public abstract ulong Load(MachineState state, Cpu cpu, int address, MemoryOrder order, int alternative);

    /// <summary>In how many ways a store can happen now; 0 while it must wait.</summary>
    public abstract int StoreAlternatives(MachineState state, Cpu cpu, MemoryOrder order);

    /// <summary>Stores a value.</summary>
    public abstract void Store(MachineState state, Cpu cpu, int address, ulong value, MemoryOrder order);

    /// <summary>True if all earlier stores of the CPU are visible: locked RMWs, serialising instructions and interrupts wait for it.</summary>
    public abstract bool IsDrained(MachineState state, Cpu cpu);

    /// <summary>What a hardware page walk of the CPU reads; it does not look into store buffers.</summary>
    public virtual ulong WalkRead(MachineState state, Cpu cpu, int address) => state.Read(address);

    /// <summary>Words that a load may touch.</summary>
    public abstract void AddLoadFootprint(Footprint footprint, Cpu cpu, int address);

    /// <summary>Words that a store may touch.</summary>
    public abstract void AddStoreFootprint(Footprint footprint, Cpu cpu, int address);

    /// <summary>Words that <see cref="IsDrained"/> reads.</summary>
    public abstract void AddDrainFootprint(Footprint footprint, Cpu cpu);

    /// <summary>Adds the model's hardware agents, once all words exist.</summary>
    public virtual void AddAgents()
    {
    }
}
