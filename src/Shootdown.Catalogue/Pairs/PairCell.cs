namespace Shootdown.Catalogue;

/// <summary>How the ranges of two operations lie to each other.</summary>
public enum RangeRelation
{
    /// <summary>The same single page.</summary>
    Same,

    /// <summary>Two pages against the second of them.</summary>
    Overlapping,

    /// <summary>Two neighbouring pages, whose entries are in one table.</summary>
    Neighbouring,

    /// <summary>Two neighbouring pages, the last of one table and the first of the next: no lock is common to both.</summary>
    NeighbouringTables,
}

/// <summary>What the CPU that runs none of the operations does, or what there is in its place.</summary>
public enum Bystander
{
    /// <summary>It runs a thread of the process that stores to the pages.</summary>
    Busy,

    /// <summary>It runs a thread of the process that loads from pages that are clean, and stores: accessed and dirty bits appear while others look.</summary>
    Dirtying,

    /// <summary>It goes to a kernel thread (lazy TLB mode) and back, and loads.</summary>
    Lazy,

    /// <summary>It switches to another process and back (with PCIDs), and loads.</summary>
    Switching,

    /// <summary>It runs a vCPU, whose guest has the process's memory and stores to the pages.</summary>
    Guest,

    /// <summary>It runs another process, with which copy-on-write memory is shared, and loads; or gives its part of a huge page up.</summary>
    Sharer,

    /// <summary>It reclaims all pages of the operations in one batch.</summary>
    Reclaim,

    /// <summary>There is no such CPU, but a device that shares the page tables and stores to the pages.</summary>
    Device,

    /// <summary>It handles faults of a device with a page table of its own, which mirrors the process's by an interval notifier and stores.</summary>
    Mirror,

    /// <summary>It registers a virtual machine with the process, lets its guest store, and closes it.</summary>
    NewGuest,

    /// <summary>It runs the driver of a device as <see cref="Mirror"/> has one: inserts the interval, lets the device store, and closes it.</summary>
    NewMirror,

    /// <summary>It binds a device that shares the page tables, turns ATS on, and answers the device's page requests.</summary>
    NewDevice,
}

/// <summary>One machine of the matrix: operations side by side, and what is around them.</summary>
/// <param name="Operations">One, two or three operations, one a CPU.</param>
/// <param name="Relation">How their ranges lie.</param>
/// <param name="Kind">What memory it is.</param>
/// <param name="Bystander">What the last CPU does.</param>
public sealed record PairCell(
    IReadOnlyList<MmOperation> Operations, RangeRelation Relation, PageKind Kind, Bystander Bystander)
{
    /// <summary>CPUs: one an operation, and one for the bystander unless that is a device.</summary>
    public int Cpus => Operations.Count + (Bystander == Bystander.Device ? 0 : 1);

    /// <summary>True if the operations end the process.</summary>
    public bool EndsProcess => Operations.Any(operation => operation.EndsProcess);

    /// <summary>Pages of the process that the operations work on.</summary>
    public int Pages => Relation switch
    {
        RangeRelation.Same => IsHuge || Operations.Any(operation => operation.NeedsHugePage) ? PagesOfHuge : 1,
        RangeRelation.NeighbouringTables => FirstOfNeighbours + 2,
        _ => 2,
    };

    /// <summary>True if a huge entry maps the memory.</summary>
    internal bool IsHuge => Kind is PageKind.Huge or PageKind.HugeCopyOnWrite or PageKind.HugeFile;

    /// <summary>Small pages of a huge page.</summary>
    internal const int PagesOfHuge = 2;

    /// <summary>Entries of a table whose last page is the first one of <see cref="RangeRelation.NeighbouringTables"/>.</summary>
    internal const int EntriesOfNeighbours = FirstOfNeighbours + 1;

    private const int FirstOfNeighbours = 1;

    /// <summary>In words, e.g. <c>same page, anonymous memory, beside a busy CPU</c>.</summary>
    public string Around => $"{RelationText}, {KindText} memory, beside a {BystanderText}";

    /// <summary>Name of the cell, e.g. <c>munmap x reclaim, same-anonymous-busy</c>.</summary>
    public string Name => $"{string.Join(" x ", Operations.Select(one => one.Id))}, {Machine}";

    /// <summary>What is around the operations, e.g. <c>same-anonymous-busy</c>.</summary>
    public string Machine
        => string.Join('-', new[] { Relation.ToString(), Kind.ToString(), Bystander.ToString() }.Select(word => word.ToLowerInvariant()));

    private string RelationText => Relation switch
    {
        RangeRelation.Same => "same page",
        RangeRelation.Overlapping => "overlapping pages",
        RangeRelation.NeighbouringTables => "pages of neighbouring tables",
        _ => "neighbouring pages",
    };

    private string KindText => Kind switch
    {
        PageKind.CopyOnWrite => "copy-on-write",
        PageKind.Referenced => "referenced anonymous",
        PageKind.Hinted => "anonymous, hinted",
        PageKind.UserfaultProtected => "anonymous, write-protected by userfaultfd,",
        PageKind.HugeCopyOnWrite => "huge copy-on-write",
        PageKind.HugeFile => "huge file",
        PageKind.PrivateFile => "private file",
        _ => Kind.ToString().ToLowerInvariant(),
    };

    private string BystanderText => Bystander switch
    {
        Bystander.Busy => "CPU that runs user code",
        Bystander.Dirtying => "CPU that stores to clean pages",
        Bystander.Lazy => "CPU that is lazy for a time",
        Bystander.Switching => "CPU that switches away and back",
        Bystander.Guest => "CPU that runs a guest",
        Bystander.Sharer => "CPU that runs another process",
        Bystander.Reclaim => "CPU that reclaims",
        Bystander.Mirror => "device that mirrors the page tables",
        Bystander.NewGuest => "guest that begins and ends",
        Bystander.NewMirror => "driver that begins and ends",
        Bystander.NewDevice => "device that is being bound",
        _ => "device that shares the page tables",
    };

    /// <summary>First page and number of pages of an operation.</summary>
    public (int First, int Count) RangeOf(int operation) => Relation switch
    {
        RangeRelation.Same => (0, Pages),
        RangeRelation.Overlapping => operation == 0 ? (0, 2) : (1, 1),
        RangeRelation.NeighbouringTables when Operations.Count == 1 => (FirstOfNeighbours, 2),
        RangeRelation.NeighbouringTables => (FirstOfNeighbours + (operation % 2), 1),
        _ => (operation % 2, 1),
    };
}
