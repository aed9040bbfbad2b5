using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S000-13: whoever reads an entry must be able to know that a flush is owed.</summary>
public sealed class EntriesWithoutMark : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S000-13";

    /// <inheritdoc/>
    public override string Lines => "60-65";

    /// <inheritdoc/>
    public override string Claim => "flushing right after the unlock is wrong: other threads decide by the new entry and cannot know of the flush";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The rule as a property of its own, P-agree: whenever an entry is read under its lock, no TLB may still grant more than the entry
        does, unless a word of the address space says that a flush is pending. One CPU reclaims a page, one reads the entry under the lock
        (MADV_DONTNEED), one uses the page. The flush comes under the lock; behind it without a mark; in a batch with the mark.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Run("under the lock", false, new KernelParts()),
        Run("after the unlock", false, FlushAfterUnlock.Unmarked.Parts),
        Run("batched, marked", true, new KernelParts()),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool wrong = results["after the unlock"].Property == "P-agree";
        bool others = results.Passed("under the lock") && results.Passed("batched, marked");
        return (wrong, others) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds, "P-agree is violated behind the unlock; it holds if the flush comes under the lock, and if a mark tells of it"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "P-agree is violated behind the unlock, and elsewhere too"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "no reader of the entry was misled"),
        };
    }

    private static SeedRun Run(string name, bool batch, KernelParts parts)
        => SeedRun.OfModel(name, $"P-agree: reclaim flushes {name}", () => Model(batch, parts));

    private static CheckModel Model(bool batch, KernelParts parts)
    {
        var options = new MachineOptions { Cpus = 3, Levels = 1, EntriesPerTable = 1, Tables = 1, Frames = 3, FrameColours = 1 };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: false, parts);
        stage.AddKernelThread(0, "kswapd", () => stage.Kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), 1, batch));
        Promise promise = stage.Promise(1, 1, PromiseKind.Removed, "madvise()");
        stage.AddThread(1, "madvise", () => Discard(stage, promise));
        stage.AddThread(2, "user", () => Stage.LoadPages(stage.Kernel, stage.Cpu(2), stage.Mm, 1));
        return new CheckModel(stage.Machine, [new PAgree(new KernelFlushKnowledge(stage.Kernel))]);
    }

    private static async Proc Discard(Stage stage, Promise promise)
        => await stage.Kernel.Madvise.MadviseDontneed(stage.Cpu(1), stage.Mm, promise);
}
