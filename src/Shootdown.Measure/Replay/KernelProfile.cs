namespace Shootdown.Measure;

/// <summary>What differs between kernels as far as the rules need it.</summary>
/// <param name="Version">The kernel.</param>
/// <param name="PageoutFlushesRange">
/// MADV_PAGEOUT of anonymous memory flushes the whole range once more behind the pages: mm/madvise.c,
/// <c>madvise_cold_or_pageout_pte_range</c> gathered aged entries also when it isolates them.
/// </param>
/// <param name="KeepsMask">
/// A CPU stays in mm_cpumask when it switches to another address space, and is removed when it is interrupted for nothing
/// (since 6.14: arch/x86/mm/tlb.c, <c>should_flush_tlb</c>, <c>should_trim_cpumask</c>).
/// </param>
public sealed record KernelProfile(string Version, bool PageoutFlushesRange, bool KeepsMask)
{
    /// <summary>Linux 6.1 (6.1.192).</summary>
    public static KernelProfile V61 { get; } = new("6.1", true, false);

    /// <summary>Linux 6.12 (6.12.117).</summary>
    public static KernelProfile V612 { get; } = new("6.12", false, false);

    /// <summary>Linux 6.18, as far as it differs in who is interrupted.</summary>
    public static KernelProfile V618 { get; } = new("6.18", false, true);

    /// <summary>Profiles that can be asked for.</summary>
    public static IReadOnlyList<KernelProfile> All { get; } = [V61, V612, V618];

    /// <summary>The rules that fit a version best. Without a version: 6.12.</summary>
    public static KernelProfile For(string version)
    {
        const int major = 6;
        const int stackChanged = 7;
        const int maskChanged = 14;
        string[] parts = version.Split('.', '-');
        if (parts.Length < 2 || !int.TryParse(parts[0], out int first) || !int.TryParse(parts[1], out int second))
        {
            return V612;
        }

        return first < major || (first == major && second < stackChanged) ? V61
            : first > major || second >= maskChanged ? V618
            : V612;
    }

    /// <summary>tlb_single_page_flush_ceiling: more pages than this are a full flush.</summary>
    public const int FlushCeiling = 33;

    /// <summary>
    /// Pages that a gather holds before it must flush: mm/mmu_gather.c, a bundle of 8 and MAX_GATHER_BATCH_COUNT batches of
    /// (4096 - 16) / 8.
    /// </summary>
    public const int GatherPagesMax = 8 + 10000 / 510 * 510;
}
