using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S000-07: the flush of <c>ptep_clear_flush</c> behind the lock, beside everything that can come in between.</summary>
public sealed class FlushAfterUnlock : SeedItem
{
    /// <summary>The kernel in question: no deferral is remembered, and the flush comes right behind the unlock.</summary>
    internal static readonly PairSetup Unmarked = new()
    {
        Name = "flush-after-unlock",
        Parts = new KernelParts
        {
            Reclaim = kernel => new ReclaimThatFlushesAfterUnlock(kernel),
            TlbBatch = kernel => new BatchWithoutMark(kernel),
        },
    };

    /// <summary>The same with the mark that batching leaves in the address space.</summary>
    private static readonly PairSetup Marked = new()
    {
        Name = "flush-after-unlock-marked",
        Parts = new KernelParts { Reclaim = kernel => new ReclaimThatFlushesAfterUnlock(kernel) },
    };

    private static readonly (string Operation, PageKind Kind)[] Others =
    [
        ("user-load", PageKind.Anonymous),
        ("user-store", PageKind.Anonymous),
        ("gup-fast", PageKind.Anonymous),
        ("madvise-dontneed", PageKind.Anonymous),
        ("mprotect-ro", PageKind.Anonymous),
        ("munmap", PageKind.Anonymous),
        ("mremap", PageKind.Anonymous),
        ("uffd-wp", PageKind.Anonymous),
        ("fork", PageKind.Anonymous),
        ("numa-hint", PageKind.Anonymous),
        ("ksm-merge", PageKind.Anonymous),
        ("migrate", PageKind.Anonymous),
        ("reclaim", PageKind.Anonymous),
        ("madvise-dontneed", PageKind.File),
        ("writeback", PageKind.File),
        ("truncate", PageKind.File),
    ];

    /// <inheritdoc/>
    public override string Id => "S000-07";

    /// <inheritdoc/>
    public override string Lines => "32-37";

    /// <inheritdoc/>
    public override string Claim => "the CPU flush of ptep_clear_flush in try_to_unmap_one could come after the page-table lock is released";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Refuted;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A reclaim that clears the entry under the lock, releases the lock, and then flushes, is crossed with everything that may happen in
        between, on the same page, beside a third CPU that stores to it. Reclaim holds its own reference all the time, as the mail asks.
        Then the same with the mark that batched unmapping leaves in the address space (mm->tlb_flush_batched).
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        Writeback (page_mkclean) and KSM might have been expected among those that go wrong: they find no entry and believe that nobody stores
        any more. They cannot come in between, because reclaim holds the folio lock from before it unmaps until after its flush: writeback,
        migration and truncation wait for it, and KSM passes a locked page by. The mail's own condition, the page lock, is what saves these.
        A fault on the swap entry would wait for it too, in the swap cache, which the model does not have: there the fault gets a new page.
        fork goes on, but flushes the whole address space before it returns, whatever it found; NUMA hinting, which finds no entry to
        change, promises nothing, and GUP-fast finds nothing to return.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [.. Of("unmarked", Unmarked), .. Of("marked", Marked)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[][] rows = [.. Others.Select(other => new[] { Name(other), results[$"unmarked, {Name(other)}"].Cell, results[$"marked, {Name(other)}"].Cell })];
        var table = new SeedTable("flush behind the unlock, beside", ["operation", "without mark", "with mark"], rows);
        string[] broken = [.. Others.Where(other => results.Violated($"unmarked, {Name(other)}")).Select(Name)];
        bool isFreed = results.Runs.Any(run => run.Name.StartsWith("unmarked", StringComparison.Ordinal) && run.Property == "P-life");
        bool marked = Others.All(other => results.Passed($"marked, {Name(other)}"));
        SeedVerdict verdict = broken.Length == 0 ? SeedVerdict.Holds : SeedVerdict.Refuted;
        string text = broken.Length == 0
            ? "safe beside every operation that was tried"
            : $"wrong beside {string.Join(", ", broken)}; safe beside {string.Join(", ", Others.Select(Name).Except(broken))}; "
                + $"{(isFreed ? "a freed page is reached" : "no page is freed too early")}; "
                + (marked ? "safe with the pending mark" : "not safe with the pending mark either");
        return new SeedAnswer(verdict, text) { Tables = [table] };
    }

    private static IEnumerable<SeedRun> Of(string name, PairSetup setup) => Others.Select(other => SeedRun.OfPair(
        $"{name}, {Name(other)}",
        new PairCell([Operation("reclaim"), Operation(other.Operation)], RangeRelation.Same, other.Kind, Bystander.Busy),
        setup));

    private static string Name((string Operation, PageKind Kind) other) => other.Kind == PageKind.File ? $"{other.Operation} (file)" : other.Operation;

    private static MmOperation Operation(string id) => OperationList.All.First(operation => operation.Id == id);

    /// <summary>Clears as if to defer, and flushes as soon as the walk has released the lock.</summary>
    private sealed class ReclaimThatFlushesAfterUnlock(KernelModel kernel) : Reclaim(kernel)
    {
        public override async Proc<ulong> TryToUnmap(Cpu cpu, int frame, bool batch)
        {
            ulong result = await base.TryToUnmap(cpu, frame, true);
            await Kernel.TlbBatch.TryToUnmapFlush(cpu);
            return result;
        }
    }

    /// <summary>Tells nobody that a flush is owed.</summary>
    private sealed class BatchWithoutMark(KernelModel kernel) : TlbBatch(kernel)
    {
        protected override async Proc IncFlushBatched(Cpu cpu, Mm mm)
        {
        }
    }
}
