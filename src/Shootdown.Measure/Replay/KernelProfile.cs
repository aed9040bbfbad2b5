namespace Shootdown.Measure;

/// <summary>What differs between kernels as far as the rules need it.</summary>
/// <param name="Version">The kernel.</param>
/// <param name="PageoutFlushesRange">
/// MADV_PAGEOUT of anonymous memory flushes the whole range once more behind the pages: mm/madvise.c,
/// <c>madvise_cold_or_pageout_pte_range</c> gathered aged entries also when it isolates them.
/// </param>
/// <param name="StackMayBeHuge">Thread stacks may get 2 MiB pages; since 6.7 MAP_STACK means VM_NOHUGEPAGE.</param>
public sealed record KernelProfile(string Version, bool PageoutFlushesRange, bool StackMayBeHuge)
{
    /// <summary>Linux 6.1 (6.1.192).</summary>
    public static KernelProfile V61 { get; } = new("6.1", true, true);

    /// <summary>Linux 6.12 (6.12.117).</summary>
    public static KernelProfile V612 { get; } = new("6.12", false, false);

    /// <summary>Profiles that can be asked for.</summary>
    public static IReadOnlyList<KernelProfile> All { get; } = [V61, V612];

    /// <summary>The rules that fit a version best: the newest that is not newer, of those that exist. Empty: the newest.</summary>
    public static KernelProfile For(string version)
    {
        string[] parts = version.Split('.', '-');
        return parts.Length >= 2 && int.TryParse(parts[0], out int major) && int.TryParse(parts[1], out int minor)
            && (major < 6 || (major == 6 && minor < 7))
            ? V61
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
