namespace Shootdown.Machine;

/// <summary>
/// A secondary MMU whose page table the kernel fills by faults, entry by entry (spte): guests of KVM, GPUs and RDMA devices with
/// on-demand paging. It knows nothing of the process's own table; a driver must keep the two together. Users of it have a TLB each in
/// front of the table, which keeps what it has until it is flushed.
/// </summary>
/// <remarks>
/// <para>The TLBs lag as CPUs' do: each may hold the current spte (nothing is stored for that) or any older value since the last
/// flush that covered the page; an access chooses. With <see cref="TlbKind.Explicit"/> each holds one value at most, filled and
/// evicted by steps of the hardware, to compare with.</para>
/// <para>Entries are changed by locked instructions, as KVM changes them (<c>xchg</c>, <c>cmpxchg</c>), so they never wait in a store
/// buffer. A flush is one step: the request, and the wait until every user has left the guest or the device has answered.</para>
/// </remarks>
public sealed class SoftwareMmu : MachineHandle
{
    private readonly int _spte;
    private readonly int _tlb;

    /// <summary>Makes one with an empty table; while the machine is built.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="space">The address space whose pages it maps, page for page.</param>
    /// <param name="name">Name for reports, e.g. <c>kvm</c>.</param>
    /// <param name="users">How many have a TLB of their own in front of it, 1 to 8.</param>
    public SoftwareMmu(MachineModel machine, AddressSpace space, string name, int users = 1)
        : base(machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(space);
        ArgumentOutOfRangeException.ThrowIfLessThan(users, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(users, 8);
        Space = space;
        Name = name;
        Users = users;
        _spte = machine.AllocateRange($"{name}.spte", WordKind.Hardware, machine.Paging.PageCount);
        _tlb = machine.AllocateRange($"{name}.tlb", WordKind.Hardware, users * machine.Paging.PageCount);
        machine.AddSoftwareMmu(this);
    }

    /// <summary>The address space whose pages it maps.</summary>
    public AddressSpace Space { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>How many have a TLB of their own in front of the table.</summary>
    public int Users { get; }

    private Paging Paging => Machine.Paging;

    private bool IsExplicit => Machine.Options.Tlb == TlbKind.Explicit;

    /// <summary>Initial state: the page is mapped, as after a fault.</summary>
    public void BuildSpte(int page, int frame, bool write)
        => Machine.SetInitial(SpteAddress(page), Translation.Of(Pte.Leaf(frame, write)).Bits);

    /// <summary>Reads an entry; <see cref="Pte.None"/> if the page is not mapped.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="page">The page.</param>
    /// <param name="endOf">Not null if a callback of a notifier ends with this entry.</param>
    public Op<Pte> SpteRead(Cpu cpu, int page, CallbackRange? endOf = null)
        => new(new SpteOperation(this, cpu, page, null, $"{Name}: read_spte", endOf));

    /// <summary>Exchanges an entry atomically and returns the old one.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="page">The page.</param>
    /// <param name="value">Frame and right to write; <see cref="Pte.None"/> to remove it.</param>
    /// <param name="function">What reports call it.</param>
    /// <param name="endOf">Not null if a callback of a notifier ends with this entry.</param>
    public Op<Pte> SpteExchange(Cpu cpu, int page, Pte value, string function, CallbackRange? endOf = null)
        => new(new SpteOperation(this, cpu, page, value, function, endOf));

    /// <summary>Flushes the TLBs of all users, and waits until that is done (<c>kvm_flush_remote_tlbs</c>).</summary>
    public Op FlushTlbs(Cpu cpu, string function = "kvm_flush_remote_tlbs")
        => new(new SpteFlushOperation(this, cpu, 0, Paging.PageCount, function));

    /// <summary>Flushes pages from the TLBs of all users, and waits until that is done.</summary>
    public Op FlushTlbRange(Cpu cpu, int first, int count, string function) => new(new SpteFlushOperation(this, cpu, first, count, function));

    /// <summary>A load whose value is used. The CPU is the one that runs the guest; null for a device.</summary>
    public Op<AccessResult> AccessLoad(Cpu? cpu, int page, int user = 0) => new(new SecondaryAccessOperation(this, cpu, user, page, false, 0));

    /// <summary>A store.</summary>
    public Op<AccessResult> AccessStore(Cpu? cpu, int page, int value, int user = 0)
        => new(new SecondaryAccessOperation(this, cpu, user, page, true, value));

    /// <summary>A load whose value does not matter: everything that the user may reach is judged, or it faults.</summary>
    public Op<AccessResult> AccessTouch(Cpu? cpu, int page, int user = 0) => new(new SecondaryTouchOperation(this, cpu, user, page));

    /// <summary>Its users load from every page all the time: whatever they may reach is judged in every state, and costs none.</summary>
    /// <param name="name">Name of the device for reports.</param>
    public Agent AddBusyUsers(string name) => Machine.AddAgent(name, AgentKind.Hardware, null, true, LoadForEver);

    /// <inheritdoc/>
    public override string ToString() => Name;

    internal int SpteAddress(int page) => _spte + page;

    internal int TlbAddress(int user, int page) => _tlb + (user * Paging.PageCount) + page;

    internal Translation SpteOf(MachineState state, int page) => new((ushort)state.Read(SpteAddress(page)));

    internal void AddAgents()
    {
        if (IsExplicit)
        {
            Machine.AddAgent($"{Name} TLB", AgentKind.Hardware, null, true, FillAndEvictForEver);
        }
    }

    /// <summary>A step of the driver changes an entry: TLBs may hold the old value from now on.</summary>
    internal void SetSpte(MachineState state, int page, Translation value)
    {
        Translation old = SpteOf(state, page);
        if (old == value)
        {
            return;
        }

        for (int user = 0; user < Users && !IsExplicit; user++)
        {
            int address = TlbAddress(user, page);
            state.Write(address, TranslationSet.Remove(TranslationSet.Add(state.Read(address), old), value));
        }

        state.Write(SpteAddress(page), value.Bits);
    }

    /// <summary>True if some user's TLB may hold a value that the entry had and has no more.</summary>
    internal bool MayHoldOld(MachineState state, int page)
    {
        for (int user = 0; user < Users; user++)
        {
            if (state.Read(TlbAddress(user, page)) != 0)
            {
                return true;
            }
        }

        return false;
    }

    internal void Flush(MachineState state, int page)
    {
        for (int user = 0; user < Users; user++)
        {
            state.Write(TlbAddress(user, page), 0);
        }
    }

    /// <summary>A frame was freed: what still leads to it dangles.</summary>
    internal void FrameFreed(MachineState state, int frame) => ForEachEntry(state, 0, Paging.PageCount, frame, value => value.AsDangling());

    /// <summary>A frame is mapped at a page of the address space: it is that page's again.</summary>
    internal void FrameMapped(MachineState state, AddressSpace space, int page, int frame)
    {
        if (space == Space)
        {
            ForEachEntry(state, page, page + 1, frame, value => value.NotDangling());
        }
    }

    internal void AddFrameFreeFootprint(Footprint footprint)
    {
        footprint.CommuteRange(_spte, Paging.PageCount);
        footprint.CommuteRange(_tlb, Users * Paging.PageCount);
    }

    internal void AddEntryChangeFootprint(Footprint footprint, int page)
    {
        footprint.Write(SpteAddress(page));
        for (int user = 0; user < Users; user++)
        {
            footprint.Write(TlbAddress(user, page));
        }
    }

    internal void AddReadFootprint(Footprint footprint, int page)
    {
        footprint.Read(SpteAddress(page));
        for (int user = 0; user < Users; user++)
        {
            footprint.Read(TlbAddress(user, page));
        }
    }

    /// <summary>Everything that some user may reach a page through.</summary>
    internal IEnumerable<Translation> Held(MachineState state, int page)
    {
        if (state.Read(SpteAddress(page)) != 0)
        {
            yield return SpteOf(state, page);
        }

        for (int user = 0; user < Users; user++)
        {
            foreach (Translation value in TlbInspector.Members(state.Read(TlbAddress(user, page))))
            {
                yield return value;
            }
        }
    }

    private void ForEachEntry(MachineState state, int first, int end, int frame, Func<Translation, Translation> change)
    {
        for (int page = first; page < end; page++)
        {
            Rewrite(state, SpteAddress(page), frame, change);
            for (int user = 0; user < Users; user++)
            {
                Rewrite(state, TlbAddress(user, page), frame, change);
            }
        }
    }

    private static void Rewrite(MachineState state, int address, int frame, Func<Translation, Translation> change)
    {
        ulong result = 0;
        foreach (Translation value in TlbInspector.Members(state.Read(address)))
        {
            result = TranslationSet.Add(result, value.Frame == frame ? change(value) : value);
        }

        state.Write(address, result);
    }

    [KernelName]
    private async Proc LoadForEver()
    {
        while (true)
        {
            await new Op(new BusyUsersOperation(this));
        }
    }

    [KernelName]
    private async Proc FillAndEvictForEver()
    {
        while (true)
        {
            await new Op(new SecondaryTlbOperation(this));
        }
    }
}

/// <summary>The pages that a callback of a notifier was called for, at its last one: monitors learn whether it was of use.</summary>
/// <param name="First">The first page.</param>
/// <param name="Count">The number of pages.</param>
/// <param name="Found">True if a page before the last one was mapped.</param>
public readonly record struct CallbackRange(int First, int Count, bool Found);
