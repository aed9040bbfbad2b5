using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// What the kernel knows about a page of memory besides its counts (<c>struct folio</c>). The counts and the dirty flag
/// are in <see cref="FrameWords"/>. A word that no program uses costs nothing.
/// </summary>
public sealed class Folio : MachineHandle
{
    private readonly KernelMutex? _lock;
    private readonly bool _hasLock;
    private Word? _mapping;
    private Word? _writeback;
    private Word? _anonExclusive;
    private Word? _lazyfree;
    private readonly Word? _compoundHead;

    internal Folio(FrameWords frame, bool hasLock, bool compound = false)
        : base(frame.Machine)
    {
        int number = frame.Number;
        int colours = Machine.Options.FrameColours;
        WordPlace PlaceOf(string family) => new($"{family} {number / colours}", Page: number % colours);
        Frame = frame;
        _hasLock = hasLock;
        if (Machine.Timed is not null)
        {
            return;
        }

        _mapping = Machine.NewWord($"page{number}.mapping", 0, PlaceOf("mapping"));
        _writeback = Machine.NewWord($"page{number}.writeback", 0, PlaceOf("writeback"));
        _anonExclusive = Machine.NewWord($"page{number}.anon_exclusive", 0, PlaceOf("anon_exclusive"));
        _lazyfree = Machine.NewWord($"page{number}.lazyfree", 0, PlaceOf("lazyfree"));
        _compoundHead = compound ? Machine.NewWord($"page{number}.compound_head", 0, PlaceOf("compound_head")) : null;
        _lock = hasLock ? Machine.NewMutex($"page{number}.lock") : null;
    }

    /// <summary>Reference and map counts, the dirty flag and the contents.</summary>
    public FrameWords Frame { get; }

    /// <summary><c>folio->mapping</c> and <c>folio->index</c>, as <see cref="FolioMapping"/>.</summary>
    public Word Mapping => _mapping ??= Frame.Named(FrameSlot.Mapping, "page.mapping");

    /// <summary><c>PG_writeback</c>: 1 while IO is under way.</summary>
    public Word Writeback => _writeback ??= Frame.Named(FrameSlot.Writeback, "page.writeback");

    /// <summary><c>PG_anon_exclusive</c>: 1 while the anonymous page belongs to one process alone.</summary>
    public Word AnonExclusive => _anonExclusive ??= Frame.Named(FrameSlot.AnonExclusive, "page.anon_exclusive");

    /// <summary>1 if the contents may be thrown away unless they are written (not <c>PG_swapbacked</c>).</summary>
    public Word Lazyfree => _lazyfree ??= Frame.Named(FrameSlot.Lazyfree, "page.lazyfree");

    /// <summary>
    /// <c>page->compound_head</c>: the first frame, + 1, of the huge folio of the page cache that the frame is part of; 0 for a small folio.
    /// </summary>
    public Word CompoundHead => _compoundHead ?? throw new ProcRuleException(
        "a huge folio of a file is looked for in a kernel without any: set KernelOptions.HugeFiles");

    /// <summary>The folio lock (<c>PG_locked</c>): its waiters sleep.</summary>
    public KernelMutex Lock => _lock ?? (_hasLock && Machine.Timed is not null ? Frame.NamedLock() : null) ?? throw new ProcRuleException(
        "a folio is locked in a kernel without folio locks: set KernelOptions.Files or AnonFolios");
}

/// <summary>Where in which file a folio belongs; 0 for anonymous memory, and once it left the page cache.</summary>
/// <param name="Bits">1 + the file's number in bits 16 and up, the page of the file below.</param>
public readonly record struct FolioMapping(ulong Bits)
{
    /// <summary>Anonymous, or in no page cache any more.</summary>
    public bool IsNone => Bits == 0;

    /// <summary>Position in <see cref="KernelModel.Files"/>.</summary>
    public int File => (int)(Bits >> 16) - 1;

    /// <summary>The page of the file.</summary>
    public int Index => (int)(Bits & 0xffff);

    /// <summary>A page of a file.</summary>
    public static FolioMapping Of(FileMapping file, int index)
    {
        ArgumentNullException.ThrowIfNull(file);
        return new(((ulong)(file.Index + 1) << 16) | (uint)index);
    }
}
