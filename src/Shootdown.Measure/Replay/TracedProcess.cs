namespace Shootdown.Measure;

/// <summary>An address space as far as a trace shows it: what calls have mapped, and where that lies on the machine.</summary>
/// <param name="id">Its number; that of one that has ended is used again.</param>
internal sealed class TracedProcess(int id)
{
    /// <summary>Its number.</summary>
    public int Id => id;

    /// <summary>Where its pages are on the machine.</summary>
    public AddressMap Places { get; private init; } = new();

    /// <summary>What it maps, in pages of the trace.</summary>
    public AreaList Areas { get; private init; } = new();

    /// <summary>Huge pages that faults have mapped, by number, with the thread and the time; those that are gone may be among them.</summary>
    public Dictionary<long, (int Tid, long TimeNs)> HugePages { get; private init; } = [];

    /// <summary>Numbers of huge pages for which a fault found none free.</summary>
    public HashSet<long> SmallPages { get; private init; } = [];

    /// <summary>End of the heap in bytes; 0 if not known yet.</summary>
    public long Break { get; set; }

    /// <summary>Tasks that live in it, as far as they were seen.</summary>
    public int Tasks { get; set; }

    /// <summary>True until something is known of it but its one task.</summary>
    public bool IsUnknown { get; set; } = true;

    /// <summary>A copy, for fork.</summary>
    public TracedProcess Fork(int child)
        => new(child)
        {
            Places = Places.Copy(),
            Areas = Areas.Copy(),
            HugePages = new(HugePages),
            SmallPages = [.. SmallPages],
            Break = Break,
            Tasks = 1,
            IsUnknown = false,
        };
}
