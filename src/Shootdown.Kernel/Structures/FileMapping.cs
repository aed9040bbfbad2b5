using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>A file's page cache and the areas that map it (<c>struct address_space</c>).</summary>
public sealed class FileMapping : MachineHandle
{
    private readonly List<FileArea> _areas = [];
    private readonly bool _mayBeHuge;

    internal FileMapping(KernelModel kernel, int index, string name, int pages, bool truncated)
        : base(kernel.Machine)
    {
        Index = index;
        Name = name;
        PageCount = pages;
        IsTruncated = truncated;
        _mayBeHuge = kernel.Options.HugeFiles;
        Pages = [.. Enumerable.Range(0, pages).Select(page => Machine.NewWord($"{name}.i_pages[{page}]"))];
        Disk = [.. Enumerable.Range(0, pages).Select(page => Machine.NewWord($"{name}.disk[{page}]"))];
        Size = Machine.NewWord($"{name}.i_size", (ulong)pages);
        MmapRwsem = new RmapLock(Machine, $"{name}.i_mmap_rwsem", kernel.Options.IMmapLock);
        Mmap = Machine.NewWord($"{name}.i_mmap");
    }

    /// <summary>Position in <see cref="KernelModel.Files"/>.</summary>
    public int Index { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>Pages of the file in the initial state.</summary>
    public int PageCount { get; }

    /// <summary>False if no program changes the file's size: reading it is then no step.</summary>
    public bool IsTruncated { get; }

    /// <summary>The page cache (<c>i_pages</c>): frame + 1, or 0, for every page.</summary>
    public ImmutableArray<Word> Pages { get; }

    /// <summary>What is on disk; kept up only with <see cref="KernelOptions.SwapData"/>.</summary>
    public ImmutableArray<Word> Disk { get; }

    /// <summary><c>i_size</c>, in pages.</summary>
    public Word Size { get; }

    /// <summary><c>i_mmap_rwsem</c>.</summary>
    public RmapLock MmapRwsem { get; }

    /// <summary><c>i_mmap</c>: bit n is set while area n is linked.</summary>
    public Word Mmap { get; }

    /// <summary>All areas that map the file at first.</summary>
    public IReadOnlyList<FileArea> Areas => _areas;

    /// <summary>False if no program unlinks an area: walking them then needs no lock.</summary>
    public bool HasUnlinkers => _areas.Any(area => area.Mm.HasMmapWriters);

    /// <inheritdoc/>
    public override string ToString() => Name;

    internal int NextArea => _areas.Count;

    /// <summary>The colour of the frames that may hold a page of the file; null while no area maps it.</summary>
    internal int? ColourOf(int index)
        => _areas.FirstOrDefault(area => area.Covers(index))?.PageOf(index) % Machine.Options.FrameColours;

    internal void Link(FileArea area)
    {
        if (_mayBeHuge && (area.First - area.Offset) % Machine.Paging.SpanOf(1) != 0)
        {
            throw new ArgumentException(
                $"page {area.Offset} of {Name} is mapped at page {area.First}: with KernelOptions.HugeFiles a huge page's worth of the file must begin "
                + "where a huge entry does");
        }

        for (int i = 0; i < area.Count; i++)
        {
            if (ColourOf(area.Offset + i) is { } colour && colour != (area.First + i) % Machine.Options.FrameColours)
            {
                throw new ArgumentException(
                    $"page {area.Offset + i} of {Name} is mapped at pages of different frame colours: use one colour");
            }
        }

        _areas.Add(area);
        Machine.SetInitial(Mmap.Address, Machine.WordInfo(Mmap.Address).Initial | area.Bit);
    }
}

/// <summary>What an area of a file is.</summary>
public enum FileAreaKind
{
    /// <summary>A shared mapping of the page cache (<c>VM_SHARED</c>).</summary>
    Shared,

    /// <summary>Memory of a driver without reference counts (<c>VM_PFNMAP</c>).</summary>
    PfnMap,

    /// <summary>A private mapping of the page cache: read-only entries of cached pages, until a store makes a copy of the process's own.</summary>
    Private,
}

/// <summary>An area of an address space that maps a file (<c>struct vm_area_struct</c>). Areas are never moved.</summary>
public sealed class FileArea : MachineHandle
{
    internal FileArea(Mm mm, FileMapping file, PageRange pages, int offset, FileAreaKind kind)
        : base(mm.Machine)
    {
        Mm = mm;
        File = file;
        First = pages.Start;
        Count = pages.Count;
        Offset = offset;
        Kind = kind;
        Index = file.NextArea;
        file.Link(this);
    }

    /// <summary>The address space.</summary>
    public Mm Mm { get; }

    /// <summary>The file.</summary>
    public FileMapping File { get; }

    /// <summary>First virtual page.</summary>
    public int First { get; }

    /// <summary>Number of pages.</summary>
    public int Count { get; }

    /// <summary>The page of the file that is mapped at the first page (<c>vm_pgoff</c>).</summary>
    public int Offset { get; }

    /// <summary>What it is.</summary>
    public FileAreaKind Kind { get; }

    /// <summary>Position among the file's areas.</summary>
    public int Index { get; }

    /// <summary>Its bit in <see cref="FileMapping.Mmap"/>.</summary>
    public ulong Bit => 1UL << Index;

    /// <summary>True if the area maps the page of the file.</summary>
    public bool Covers(int index) => index >= Offset && index < Offset + Count;

    /// <summary>True if the area covers the virtual page.</summary>
    public bool HasPage(int page) => page >= First && page < First + Count;

    /// <summary>Where a page of the file is mapped.</summary>
    public int PageOf(int index) => First + index - Offset;

    /// <summary>Which page of the file is mapped there.</summary>
    public int IndexOf(int page) => Offset + page - First;
}
