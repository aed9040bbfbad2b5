namespace Shootdown.Kernel;

/// <summary>
/// What <c>find_vma</c> says. On small machines one word: which of the first 32 pages are mapped by an area (bits 0 to 31), and
/// which of them may be written (bits 32 to 63). On a machine of real size the tree of areas, seen with one change that is not
/// stored yet (<see cref="MmapLock.StoreVmas"/>).
/// </summary>
/// <param name="Bits">The packed value; 0 if there is a tree.</param>
/// <param name="Tree">The tree.</param>
/// <param name="Change">The change; null if there is none.</param>
public readonly record struct VmAreas(ulong Bits, AreaTree? Tree = null, AreaChange? Change = null)
{
    /// <summary>One readable and writable area.</summary>
    public static VmAreas Covering(int first, int count) => new(Mask(first, count) | (Mask(first, count) << 32));

    /// <summary>True if every page of the range is in an area.</summary>
    public bool Covers(int first, int count)
        => Tree is null ? (Bits & Mask(first, count)) == Mask(first, count) : Tree.Covers(first, first + count);

    /// <summary>True if the range is in one area: covered, with the same rights everywhere. Of the tree it is only asked whether it is covered.</summary>
    public bool IsInOne(int first, int count)
    {
        ulong writable = Tree is null ? Bits >> 32 & Mask(first, count) : 0;
        return Covers(first, count) && (writable == 0 || writable == Mask(first, count));
    }

    /// <summary>The first part of the range that is in an area, up to the next hole; empty if none is.</summary>
    public PageRange Part(int first, int count)
    {
        int end = first + count;
        if (Tree is not null)
        {
            return Tree.Part(first, end);
        }

        while (first < end && !Covers(first, 1))
        {
            first++;
        }

        int length = 0;
        while (first + length < end && Covers(first + length, 1))
        {
            length++;
        }

        return PageRange.Of(first, length);
    }

    /// <summary>True if any page of the range is in an area.</summary>
    public bool Touches(int first, int count)
    {
        if (Tree is null)
        {
            return (Bits & Mask(first, count)) != 0;
        }

        int end = first + count;
        return Change is not { Kind: AreaChangeKind.Remove }
            ? Tree.Touches(first, end)
            : (first < Change.First && Tree.Touches(first, Math.Min(end, Change.First)))
                || (end > Change.End && Tree.Touches(Math.Max(first, Change.End), end));
    }

    /// <summary>True if the page's area allows the access.</summary>
    public bool Allows(int page, bool write)
        => Tree is null ? (Bits & Mask(page, 1) << (write ? 32 : 0)) != 0 : Tree.Allows(page, write);

    /// <summary>After a readable and writable range was added.</summary>
    public VmAreas With(int first, int count) => Tree is null
        ? new(Bits | Covering(first, count).Bits) : Changed(AreaChangeKind.Add, first, count);

    /// <summary>After the range was unmapped.</summary>
    public VmAreas Without(int first, int count) => Tree is null
        ? new(Bits & ~(Mask(first, count) | (Mask(first, count) << 32))) : Changed(AreaChangeKind.Remove, first, count);

    /// <summary>After the range was made read-only.</summary>
    public VmAreas ReadOnly(int first, int count) => Tree is null
        ? new(Bits & ~(Mask(first, count) << 32)) : Changed(AreaChangeKind.ReadOnly, first, count);

    /// <summary>After the range was made inaccessible; only on machines of real size.</summary>
    public VmAreas Inaccessible(int first, int count) => Changed(AreaChangeKind.Inaccessible, first, count);

    /// <summary>After the mapped pages of the range were made writable.</summary>
    public VmAreas Writable(int first, int count) => Tree is null
        ? new(Bits | ((Bits & Mask(first, count)) << 32)) : Changed(AreaChangeKind.Writable, first, count);

    /// <summary>After the range was moved, with its rights.</summary>
    public VmAreas Moved(int from, int to, int count)
    {
        if (Tree is not null)
        {
            return Changed(AreaChangeKind.Move, from, count) with { Change = new AreaChange(AreaChangeKind.Move, from, from + count, to) };
        }

        ulong mapped = (Bits & Mask(from, count)) >> from;
        ulong writable = ((Bits >> 32) & Mask(from, count)) >> from;
        return new(Without(from, count).Bits | (mapped << to) | (writable << (to + 32)));
    }

    /// <summary>Makes the change in the tree.</summary>
    internal void Apply()
    {
        if (Change is null)
        {
            return;
        }

        (AreaChangeKind kind, int first, int end, int to) = Change;
        switch (kind)
        {
            case AreaChangeKind.Add:
                Tree!.Set(first, end, true, true);
                break;
            case AreaChangeKind.Remove:
                Tree!.Remove(first, end);
                break;
            case AreaChangeKind.ReadOnly:
                Tree!.Protect(first, end, true, false);
                break;
            case AreaChangeKind.Inaccessible:
                Tree!.Protect(first, end, false, false);
                break;
            case AreaChangeKind.Writable:
                Tree!.Protect(first, end, true, true);
                break;
            case AreaChangeKind.Move:
                bool write = Tree!.Allows(first, true);
                Tree.Remove(first, end);
                Tree.Set(to, to + end - first, true, write);
                break;
        }
    }

    private static ulong Mask(int first, int count) => ((1UL << count) - 1) << first & 0xffff_ffff;

    private VmAreas Changed(AreaChangeKind kind, int first, int count)
        => this with { Change = new AreaChange(kind, first, first + count, 0) };
}

/// <summary>A change of areas.</summary>
/// <param name="Kind">What changes.</param>
/// <param name="First">First page.</param>
/// <param name="End">The page behind the last one.</param>
/// <param name="To">Where it is moved to.</param>
public sealed record AreaChange(AreaChangeKind Kind, int First, int End, int To);

/// <summary>How areas change.</summary>
public enum AreaChangeKind
{
    /// <summary>A readable and writable range is added.</summary>
    Add,

    /// <summary>The range is unmapped.</summary>
    Remove,

    /// <summary>The range may be read only.</summary>
    ReadOnly,

    /// <summary>The range may not be accessed.</summary>
    Inaccessible,

    /// <summary>The range may be written.</summary>
    Writable,

    /// <summary>The range is moved.</summary>
    Move,
}
