using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-05: collapse clears the small entries without a flush.</summary>
public sealed class PteClearWithoutFlush : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S001-05";

    /// <inheritdoc/>
    public override string Lines => "34-35";

    /// <inheritdoc/>
    public override string Claim => "collapse may clear the PTEs without a flush before it installs the huge PMD";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The whole collapse beside a thread that stores, with its TLB and walk cache. P-copy and P-life are judged: no store may stay behind
        in the small page. The flush of the PMD drops what walk caches hold, or only leaf entries (arm64's last-level TLBI).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Run("flush with walk caches", new KernelParts { TlbFlush = kernel => new BroadcastRange(kernel, false) }),
        Run("flush by IPI", new KernelParts()),
        Run("flush of leaves only", new KernelParts { TlbFlush = kernel => new BroadcastRange(kernel, true) }),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool whole = results.Passed("flush with walk caches") && results.Passed("flush by IPI");
        bool leaf = results.Violated("flush of leaves only");
        return new SeedAnswer(
            (whole, leaf) switch { (true, true) => SeedVerdict.Depends, (true, false) => SeedVerdict.Holds, _ => SeedVerdict.Refuted },
            $"{(whole ? "safe" : "not safe")} if the flush of the PMD drops walk caches too; "
                + $"{(leaf ? $"wrong ({results["flush of leaves only"].Property})" : "safe")} if it drops leaves only");
    }

    private static SeedRun Run(string name, KernelParts parts) => SeedRun.OfModel(
        name, $"collapse beside a store: {name}", () => GupModels.Collapse(parts, GupModels.Stores, [new PCopy(), new PLife()]));

    /// <summary>Broadcasts page by page: with the walk caches, or leaf entries alone.</summary>
    private sealed class BroadcastRange(KernelModel kernel, bool leafOnly) : TlbFlush(kernel)
    {
        private readonly bool _leafOnly = leafOnly;

        public override async Proc FlushTlbMmRange(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
        {
            for (int page = range.IsAll ? 0 : range.Start; page < (range.IsAll ? Machine.Paging.PageCount : range.End); page++)
            {
                await cpu.TlbiPage(0, page, lastLevel: _leafOnly);
            }
        }
    }
}
