namespace Shootdown.Machine;

/// <summary>One way in which an access through a secondary MMU can be translated now.</summary>
/// <param name="Value">The translation; none for a fault.</param>
/// <param name="FromTlb">True if the TLB held it, false if the table did.</param>
internal readonly record struct SecondaryChoice(Translation Value, bool FromTlb);

/// <summary>How a page is reached through a secondary MMU, and what properties are told of it.</summary>
/// <param name="mmu">The MMU.</param>
/// <param name="cpu">The CPU that runs the guest; null for a device.</param>
/// <param name="user">Which of its users.</param>
/// <param name="page">The page.</param>
internal readonly struct SecondaryRules(SoftwareMmu mmu, Cpu? cpu, int user, int page)
{
    internal const int ChoicesMax = 6;
    private readonly SoftwareMmu _mmu = mmu;
    private readonly Cpu? _cpu = cpu;
    private readonly int _user = user;
    private readonly int _page = page;

    private Paging Paging => _mmu.Machine.Paging;

    private bool IsExplicit => _mmu.Machine.Options.Tlb == TlbKind.Explicit;

    /// <summary>All ways, faults included; equal ones once.</summary>
    internal int Choices(MachineState state, bool write, Span<SecondaryChoice> choices)
    {
        ulong held = state.Read(_mmu.TlbAddress(_user, _page));
        Translation current = _mmu.SpteOf(state, _page);
        int count = 0;
        if (!IsExplicit || held == 0)
        {
            choices[count++] = new SecondaryChoice(Permitted(current, write), false);
        }

        for (ulong rest = held; rest != 0; rest >>= 16)
        {
            Translation value = Permitted(new Translation((ushort)rest), write);
            if (!value.IsNone || count == 0 || !choices[0].Value.IsNone)
            {
                choices[count++] = new SecondaryChoice(value, true);
            }
        }

        return count;
    }

    /// <summary>What the TLB holds after the access went one way: a TLB that used one value holds no other, and a fault drops the page.</summary>
    internal void Choose(MachineState state, in SecondaryChoice choice)
    {
        int address = _mmu.TlbAddress(_user, _page);
        bool keeps = !choice.Value.IsNone && (choice.FromTlb || IsExplicit);
        state.Write(address, keeps ? TranslationSet.Of(choice.Value) : 0);
    }

    internal void Report(MachineState state, in SecondaryChoice choice, bool write)
    {
        if (choice.Value.IsNone)
        {
            state.Record?.Note("[ fault ]");
            foreach (MachineMonitor monitor in Paging.Machine.Monitors)
            {
                monitor.OnFault(state, _cpu ?? Paging.Machine.Cpus[0], _mmu.Space, _page, write);
            }

            return;
        }

        Translation used = choice.Value;
        if (state.Read(Paging.FrameLifeAddress(used.Frame)) == 0)
        {
            used = used.AsDangling();
        }

        Translation now = Translation.Of(TlbInspector.CurrentLeaf(state, _mmu.Space, _page));
        bool isStale = now.IsNone || now.Frame != used.Frame || (used.Write && !now.Write);
        string entry = choice.FromTlb ? "TLB entry" : "spte";
        state.Record?.Note($"[ {(isStale ? "stale " : string.Empty)}{entry}, frame {used.Frame}{(used.Write ? ", writable" : string.Empty)} ]");
        var access = new AccessEvent(_cpu ?? Paging.Machine.Cpus[0], _mmu.Space, _page, used, isStale, write)
        {
            Who = _cpu is null ? _mmu.Name : $"{_cpu} ({_mmu.Name})",
            Entry = entry,
        };
        foreach (MachineMonitor monitor in Paging.Machine.Monitors)
        {
            if (state.Violation is null)
            {
                monitor.OnAccess(state, access);
            }
        }
    }

    /// <summary>Addresses of the contents that the page may lead to.</summary>
    internal IEnumerable<int> Contents() => Frames().Select(Paging.FrameContentAddress);

    internal void AddFootprint(Footprint footprint, bool changesTlb)
    {
        _mmu.AddReadFootprint(footprint, _page);
        if (changesTlb)
        {
            footprint.Write(_mmu.TlbAddress(_user, _page));
        }

        Paging.AddWalkFootprint(footprint, _page);
        foreach (int frame in Frames())
        {
            footprint.Read(Paging.FrameLifeAddress(frame));
        }

        foreach (MachineMonitor monitor in Paging.Machine.Monitors)
        {
            monitor.AddAccessFootprint(footprint, _mmu.Space, _page);
        }
    }

    private static Translation Permitted(Translation value, bool write) => write && !value.Write ? default : value;

    /// <summary>Any frame: nothing but the driver decides which one an entry leads to.</summary>
    private IEnumerable<int> Frames() => Enumerable.Range(0, Paging.Frames.Count);
}
