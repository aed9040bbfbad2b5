using System.Globalization;
using Shootdown.Kernel;

namespace Shootdown.Measure;

/// <summary>
/// A version of the kernel as far as its flushes differ: options, and overrides of the functions that were different. The kernel
/// library itself is 6.12.
/// </summary>
/// <param name="Name">As in traces, e.g. <c>6.12</c>.</param>
/// <param name="Options">Build-time choices.</param>
/// <param name="Parts">Mechanisms.</param>
/// <param name="ExtraAsids">ASIDs that a flush design needs besides those of Linux.</param>
public sealed record TimedProfile(string Name, KernelOptions Options, KernelParts Parts, int ExtraAsids = 0)
{
    private const int PageBytes = 4096;
    private const int BatchHeaderBytes = 16;
    private const int PointerBytes = 8;
    private const int PointersPerBatch = (PageBytes - BatchHeaderBytes) / PointerBytes;

    /// <summary><c>MAX_GATHER_BATCH_COUNT</c>: batches behind the one on the stack.</summary>
    private const int Batches = 10_000 / PointersPerBatch;

    /// <summary><c>MMU_GATHER_BUNDLE</c>: the batch on the stack.</summary>
    private const int FirstBatch = 8;

    /// <summary>
    /// True if areas of MAP_STACK may have huge pages: they are VM_NOHUGEPAGE since 6.7 (include/linux/mman.h, <c>calc_vm_flag_bits</c>).
    /// </summary>
    public bool StacksMayBeHuge { get; init; }

    /// <summary>Linux 6.12 (as Debian builds it).</summary>
    public static TimedProfile Linux612 { get; } = new("6.12", Common with
    {
        // __tlb_remove_folio_pages_size() leaves a batch when only one place is left: a folio of several pages takes two.
        GatherFrames = FirstBatch - 1 + (Batches * (PointersPerBatch - 1)),
        FreeBatch = 31,
    }, CommonParts);

    /// <summary>Linux 6.1.</summary>
    public static TimedProfile Linux61 { get; } = new("6.1", Common with
    {
        GatherFrames = FirstBatch + (Batches * PointersPerBatch),
        FreeBatch = int.MaxValue,
    }, CommonParts with
    {
        Zap = kernel => new Linux61Zap(kernel),
        Madvise = kernel => new Linux61Madvise(kernel),
        Migrate = kernel => new UnbatchedMigrate(kernel),
        LruLists = kernel => new TimedLruLists(kernel, batchFolios: 15, drains: true),
    })
    { StacksMayBeHuge = true };

    /// <summary>Linux 6.18, with <c>CONFIG_PT_RECLAIM</c>, as far as its flushes differ from those of 6.12.</summary>
    public static TimedProfile Linux618 { get; } = Linux612 with
    {
        Name = "6.18",
        Options = Linux612.Options with { PtReclaim = true },
        Parts = CommonParts with
        {
            SwitchMm = kernel => new Linux618SwitchMm(kernel),
            TlbFlush = kernel => new Linux618TlbFlush(kernel),
            LruLists = kernel => new TimedLruLists(kernel, batchFolios: 31, drains: false),
        },
    };

    /// <summary>All profiles.</summary>
    public static IReadOnlyList<TimedProfile> All { get; } = [Linux61, Linux612, Linux618];

    private static KernelOptions Common => new()
    {
        Files = true,
        AnonFolios = true,
        Lazyfree = true,
        Thp = true,
        HugeCollapse = true,
        ZeroPage = true,
        TryChangeWritable = true,
        AnonMoves = true,
        MremapTables = true,
    };

    private static KernelParts CommonParts => new()
    {
        Rmap = kernel => new IndexedRmap(kernel),
        HugeMemory = kernel => new CompoundHugeMemory(kernel),
        LruLists = kernel => new TimedLruLists(kernel, batchFolios: 31, drains: true),
    };

    /// <summary>A profile by name; null if there is none.</summary>
    public static TimedProfile? Find(string name) => All.FirstOrDefault(profile => profile.Name == name);

    /// <summary>The profile that fits a kernel version best, e.g. <c>6.1.0-37-amd64</c>; 6.12 if it is not known.</summary>
    public static TimedProfile For(string version)
    {
        ArgumentNullException.ThrowIfNull(version);
        const int major = 6;
        const int stackChanged = 7;
        const int maskChanged = 14;
        return !TryParse(version, out int first, out int second) ? Linux612
            : first < major || (first == major && second < stackChanged) ? Linux61
            : first > major || second >= maskChanged ? Linux618
            : Linux612;
    }

    /// <summary>True for text that begins like the version of a kernel, e.g. <c>6.1.0-37-amd64</c>.</summary>
    public static bool IsVersion(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out _, out _);
    }

    private static bool TryParse(string version, out int first, out int second)
    {
        string[] parts = version.Split('.', '-');
        second = 0;
        return int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out first) && parts.Length > 1
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out second);
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Before 6.2 the rmap of a dirty page of a file was removed at once (no <c>tlb_delay_rmap</c>).</summary>
internal sealed class Linux61Zap(KernelModel kernel) : Zap(kernel)
{
    /// <inheritdoc/>
    protected override bool DelaysRmap => false;
}

/// <summary>Before 6.8 MADV_PAGEOUT cleared the accessed bits of what it reclaimed, and flushed for that.</summary>
internal sealed class Linux61Madvise(KernelModel kernel) : Madvise(kernel)
{
    /// <inheritdoc/>
    protected override bool PageoutClearsYoung => true;
}
