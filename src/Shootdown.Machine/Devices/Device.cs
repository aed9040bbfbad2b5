namespace Shootdown.Machine;

/// <summary>
/// A device that uses addresses of a process (SVA): its IOMMU walks the process's page tables by itself under a PASID and caches what it finds
/// (IOTLB and paging-structure cache); behind it the device has a TLB of its own (ATC), which is filled by translation requests (ATS) to the
/// IOMMU. Nobody tells either of them when an entry changes, except by commands in the <see cref="Queue"/>.
/// </summary>
/// <remarks>
/// Unlike a CPU's TLB these may hold several translations of a page at a time: many engines and many requests are in flight behind one IOMMU. So
/// an access rules nothing out, and what may be held is only ever reduced by invalidation. The reference (<see cref="TlbKind.Explicit"/>) keeps one.
/// </remarks>
public sealed class Device : MachineHandle
{
    internal Device(MachineModel machine, int index)
        : base(machine)
    {
        Index = index;
        Name = machine.Options.Devices > 1 ? $"device{index}" : "device";
        Iommu = new Cpu(machine, machine.Options.Cpus + (2 * index), this);
        Atc = new Cpu(machine, machine.Options.Cpus + (2 * index) + 1, this);
        PasidEntry = machine.NewWord($"{Name}.pasid_entry");
        AtsAddress = machine.Allocate($"{Name}.ats", WordKind.Hardware);
        PageRequest = machine.NewWord($"{Name}.page_request");
        Queue = new InvalidationQueue(this);
    }

    /// <summary>Number of the device, from 0.</summary>
    public int Index { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>The IOMMU's side: root, IOTLB and paging-structure cache of the PASID.</summary>
    public Cpu Iommu { get; }

    /// <summary>The device's own TLB.</summary>
    public Cpu Atc { get; }

    /// <summary>The address space that the device is bound to; set while the machine is built, see <see cref="BuildBound"/>.</summary>
    public AddressSpace? Space { get; private set; }

    /// <summary>The PASID table's entry in memory: 0 if not present, else 1 + the number of the address space. The IOMMU caches it.</summary>
    public Word PasidEntry { get; }

    /// <summary>A page request that waits for its answer: 0 if none, else 2 * (page + 1) + 1 for a store.</summary>
    public Word PageRequest { get; }

    /// <summary>The invalidation queue of its IOMMU.</summary>
    public InvalidationQueue Queue { get; }

    /// <summary>Address of the word that is 1 while the device keeps translations of its own (ATS is enabled).</summary>
    public int AtsAddress { get; }

    /// <summary>Initial state: which address space the device can be bound to, whether it is, and whether it has a TLB of its own in use.</summary>
    /// <param name="space">The address space.</param>
    /// <param name="ats">True if the device's own TLB is in use.</param>
    /// <param name="bound">True if the PASID's entry is present.</param>
    public void BuildBound(AddressSpace space, bool ats, bool bound = true)
    {
        ArgumentNullException.ThrowIfNull(space);
        Space = space;
        Machine.SetInitial(AtsAddress, ats ? 1UL : 0);
        Machine.SetInitial(PasidEntry.Address, bound ? (ulong)space.Index + 1 : 0);
        Machine.SetInitial(Iommu.RootAddress, bound ? (ulong)space.Index + 1 : 0);
    }

    /// <summary>Starts the device's program.</summary>
    public Agent AddProgram(Func<Proc> program, bool mayStop = false) => Machine.AddAgent(Name, AgentKind.Task, null, mayStop, program);

    /// <summary>A load whose value is used.</summary>
    public Op<AccessResult> AccessLoad(int page) => new(new DeviceAccessOperation(this, page, false, 0));

    /// <summary>A store.</summary>
    public Op<AccessResult> AccessStore(int page, int value) => new(new DeviceAccessOperation(this, page, true, value));

    /// <summary>A load whose value does not matter: all translations that it could use are judged at once.</summary>
    public Op<AccessResult> AccessTouch(int page) => new(new DeviceTouchOperation(this, page));

    /// <summary>The IOMMU walks the tables for every page, from its root and from all that it has cached: it must read no freed table.</summary>
    public Op SpeculativeWalks() => new(new DeviceWalkOperation(this));

    /// <summary>Sends a page request (PRI) to the kernel.</summary>
    public Op SendPageRequest(int page, bool write) => new(new PageRequestOperation(this, page, write));

    /// <summary>Waits for the answer to the page request.</summary>
    public Op AwaitPageResponse() => new(new PageRequestOperation(this, -1, false));

    /// <summary>A free choice of the device between 0 and count - 1.</summary>
    public Op<int> Choose(int count, string what) => new(new ChooseOperation(count, what));

    /// <summary>Waits until a CPU has rung: a register of the device that is not 0.</summary>
    public Op<ulong> AwaitDoorbell(Word register) => new(new DoorbellOperation(register));

    /// <summary>A condition on what the device has seen, which the check reports if it is false.</summary>
    public Op Assert(bool holds, string message) => new(new AssertOperation(Iommu, holds, message));

    /// <inheritdoc/>
    public override string ToString() => $"the {Name}";

    /// <summary>The address space of what the device's own TLB holds.</summary>
    internal bool HoldsOf(Cpu translator, AddressSpace space) => translator == Atc && space == Space;

    internal AddressSpace RequireSpace()
        => Space ?? throw new ProcRuleException($"{Name} is bound to no address space: call BuildBound while the machine is built");
}
