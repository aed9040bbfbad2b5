using Shootdown.Catalogue;
using Shootdown.Check;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// The matrix finds bugs that nobody wrote a scenario or an operation for. Each is looked for in the row of two operations (one, twice: alone
/// and with itself) and must show; the same machine must pass with the correct core.
/// </summary>
public sealed class InventedBugTests
{
    /// <summary>One worker: some bugs break two properties, and of several workers sometimes one is first, sometimes the other.</summary>
    private static readonly CheckOptions Options = new() { Workers = 1, Time = TimeSpan.FromMinutes(10), MinimiserStatesMax = 1 };

    /// <summary>The bug, two operations, the machine and the property that shows it.</summary>
    public static TheoryData<string, string, string, string, string> Found => new()
    {
        { "flush-range-loses-last-page", "munmap", "munmap", "overlapping-anonymous-busy", "P-life" },
        { "fork-flushes-first-page", "fork", "fork", "overlapping-anonymous-busy", "P-ret" },
        { "mremap-flushes-new-range", "mremap", "clear-refs", "same-anonymous-busy", "P-ret" },
        { "mprotect-skips-last-page", "mprotect-ro", "munmap", "overlapping-anonymous-busy", "P-ret" },
        { "zap-skips-last-page", "munmap", "munmap-tables", "overlapping-anonymous-busy", "P-ret" },
        { "clear-refs-skips-dirty", "clear-refs", "uffd-unprotect", "same-anonymous-busy", "P-ret" },
        { "secondary-flush-first-page", "munmap", "munmap", "overlapping-anonymous-device", "P-life" },
        { "notifier-start-first-page", "munmap", "munmap", "overlapping-anonymous-guest", "P-life" },
        { "clear-flush-skips-read-only", "reclaim", "user-load", "same-copyonwrite-busy", "P-life" },
        { "pte-needs-flush-not-for-write", "mprotect-ro", "user-load", "same-anonymous-busy", "P-ret" },
        { "nested-flush-off-by-one", "madvise-dontneed", "madvise-dontneed", "same-anonymous-busy", "P-ret" },
        { "batch-flush-dirty-only", "reclaim-batched", "user-load", "same-anonymous-lazy", "P-life" },
        { "batch-forgets-mask", "reclaim-batched", "user-load", "same-copyonwrite-sharer", "P-life" },
        { "ksm-skips-flush-if-clean", "ksm-merge", "uffd-wp", "same-anonymous-lazy", "P-ret" },
        { "tables-not-recorded", "munmap-tables", "user-load", "same-anonymous-lazy", "P-life" },
        { "flush-then-write-protect", "writeback", "user-store", "same-file-busy", "P-write" },
        { "clear-refs-flushes-first", "clear-refs", "clear-refs", "same-anonymous-busy", "P-ret" },
        { "gather-frees-before-flush", "munmap", "munmap", "same-anonymous-busy", "P-life" },
        { "table-freed-at-once", "munmap-tables", "user-load", "same-anonymous-busy", "P-life" },
        { "pending-raised-behind-lock", "madvise-dontneed", "madvise-dontneed", "same-anonymous-busy", "P-ret" },
        { "notifiers-behind-free", "munmap", "munmap", "same-anonymous-guest", "P-life" },
        { "clear-is-two-steps", "reclaim", "user-store", "same-anonymous-lazy", "P-write" },
        { "generation-read-behind-flush", "mprotect-ro", "reclaim", "same-anonymous-busy", "P-life" },
        { "generation-read-before-mask", "munmap", "user-load", "same-anonymous-switching", "P-ret" },
        { "asid-never-behind", "munmap", "user-load", "same-anonymous-switching", "P-ret" },
        { "lazy-never-catches-up", "munmap", "user-load", "same-anonymous-lazy", "P-ret" },
        { "lazy-leaves-mask", "munmap", "user-load", "same-anonymous-lazy", "P-ret" },
        { "reuse-with-two-references", "fork", "user-store", "same-anonymous-busy", "P-cow" },
        { "cow-trusts-entry", "user-store", "user-store", "same-copyonwrite-busy", "P-copy" },
        { "fork-ignores-pins", "fork", "gup-fast", "same-anonymous-busy", "P-pin" },
        { "collapse-ignores-references", "collapse-huge", "gup-fast", "same-anonymous-busy", "P-pin" },
        { "reclaim-ignores-references", "reclaim", "writeback", "same-file-busy", "P-life" },
        { "numa-fault-restores-write", "fork", "user-load", "same-hinted-busy", "P-cow" },
        { "madvise-free-records-nothing", "madvise-free", "reclaim", "same-anonymous-busy", "P-write" },
        { "migration-loses-uffd-wp", "migrate", "uffd-wp", "same-anonymous-busy", "P-uffd" },
        { "swap-loses-uffd-wp", "reclaim", "uffd-wp", "same-anonymous-busy", "P-uffd" },
        { "mremap-loses-uffd-wp", "mremap", "uffd-wp", "same-anonymous-busy", "P-uffd" },
        { "collapse-ignores-uffd-wp", "collapse-huge", "uffd-wp", "same-anonymous-busy", "P-uffd" },
        { "modify-drops-uffd-wp", "mprotect-ro", "uffd-wp", "same-anonymous-busy", "P-uffd" },
        { "gup-trusts-entry", "gup-fast", "reclaim-batched", "same-anonymous-busy", "P-pin" },
        { "share-ignores-pins", "gup-fast", "reclaim", "same-anonymous-busy", "P-pin" },
        { "mask-set-not-atomic", "munmap", "schedule", "same-anonymous-switching", "P-life" },
        { "exit-keeps-device", "exit", "exit", "overlapping-anonymous-device", "P-life" },
        { "full-gather-frees-first", "munmap", "munmap", "neighbouringtables-anonymous-device", "P-life" },
        { "no-wait-for-answers", "munmap", "user-load", "same-anonymous-busy", "P-life" },
        { "madvise-free-no-end", "madvise-free", "madvise-free", "same-anonymous-guest", "deadlock" },
        { "pins-shared-for-reading", "gup-read", "fork", "same-anonymous-busy", "P-pin" },
        { "pins-through-read-only", "gup-slow", "mprotect-ro", "same-anonymous-busy", "P-pin" },
        { "pins-behind-lock", "gup-slow", "ksm-merge", "same-anonymous-busy", "P-pin" },
        { "young-cleared-by-store", "clear-young", "reclaim", "same-anonymous-dirtying", "P-write" },
        { "young-cleared-without-lock", "clear-young", "madvise-dontneed", "same-anonymous-busy", "P-life" },
        { "cold-cleared-by-store", "madvise-cold", "reclaim", "same-anonymous-dirtying", "P-write" },
        { "modify-start-only-reads", "mprotect-ro", "reclaim", "same-anonymous-dirtying", "P-write" },
        { "zap-keeps-migration-entry", "madvise-dontneed", "migrate", "same-anonymous-busy", "P-gone" },
        { "zap-keeps-hint", "munmap", "numa-hint", "same-anonymous-busy", "P-gone" },
        { "huge-change-not-recorded", "mprotect-ro", "clear-refs", "same-huge-busy", "P-ret" },
        { "huge-change-looks-empty", "madvise-dontneed", "numa-hint", "same-huge-busy", "P-gone" },
        { "huge-reused-while-shared", "mprotect-ro", "user-store", "same-hugecopyonwrite-sharer", "P-cow" },
        { "kthread-mask-behind-root", "clear-refs", "kthread-use-mm", "same-anonymous-busy", "P-ret" },
        { "kthread-leaves-mask", "clear-refs", "kthread-use-mm", "same-anonymous-busy", "P-ret" },
        { "idle-leaves-mask-first", "munmap-tables", "kthread-use-mm", "same-anonymous-busy", "P-life" },
        { "empty-table-freed-at-once", "madvise-dontneed-tables", "fork", "overlapping-anonymous-busy", "P-life" },
        { "empty-table-not-locked", "madvise-dontneed-tables", "gup-fast", "overlapping-anonymous-busy", "P-left" },
        { "table-installed-without-lock", "madvise-dontneed-tables", "user-store", "overlapping-anonymous-busy", "P-life" },
        { "table-not-looked-at-again", "madvise-dontneed-tables", "user-store", "overlapping-anonymous-busy", "P-left" },
        { "cow-fault-maps-cached-page", "user-store", "reclaim", "same-privatefile-busy", "P-cow" },
        { "cow-fault-overwrites", "user-store", "user-store", "same-privatefile-busy", "P-copy" },
        { "move-pages-isolates-late", "move-pages", "munmap", "overlapping-anonymous-busy", "deadlock" },
        { "cow-fault-copies-behind-put", "truncate", "user-store", "same-privatefile-busy", "P-life" },
        { "move-pages-flushes-last", "move-pages", "madvise-dontneed", "overlapping-anonymous-busy", "P-life" },
        { "cow-sets-before-flush", "user-load", "user-store", "same-copyonwrite-busy", "P-copy" },
        { "cow-ends-before-change", "user-store", "user-store", "same-copyonwrite-guest", "P-sec" },
        { "migration-copies-behind-mapping", "migrate", "user-store", "same-anonymous-busy", "P-kept" },
        { "reclaim-drops-dirty-of-files", "mprotect-ro", "reclaim", "same-file-dirtying", "P-write" },
        { "writeback-ignores-entries", "writeback", "reclaim", "same-file-dirtying", "P-write" },
        { "uffd-wakes-before-lifting", "uffd-unprotect", "user-store", "same-userfaultprotected-busy", "deadlock" },
        { "uffd-counts-behind-lock", "uffd-unprotect", "user-store", "same-userfaultprotected-busy", "deadlock" },
        { "mprotect-ignores-uffd-wp", "mprotect-rw", "uffd-wp", "same-huge-busy", "P-uffd" },
        { "tables-freed-without-grace-period", "madvise-dontneed-tables", "user-load", "overlapping-anonymous-busy", "P-life" },
        { "tables-freed-before-unlinked", "munmap-tables", "migrate", "same-anonymous-busy", "P-life" },
        { "table-walk-outside-rcu", "madvise-dontneed-tables", "reclaim", "overlapping-anonymous-busy", "P-life" },
        { "area-looked-up-without-lock", "munmap-tables", "madvise-cold", "same-anonymous-busy", "P-life" },
        { "area-not-looked-up", "munmap-tables", "numa-hint", "same-anonymous-busy", "P-life" },
        { "fork-forgets-migrating-pages", "fork", "madvise-pageout", "same-anonymous-busy", "P-kept" },
        { "fork-keeps-reference", "clear-refs", "fork", "same-anonymous-busy", "P-left" },
        { "uffd-protects-nothing", "gup-fast", "uffd-unprotect", "same-anonymous-busy", "deadlock" },
        { "zap-forgets-mapcount", "clear-refs", "madvise-dontneed", "same-copyonwrite-busy", "P-left" },
        { "collapse-leaks-copied-pages", "clear-refs", "collapse-huge", "same-anonymous-busy", "P-left" },
        { "collapse-trusts-area", "collapse-huge", "mremap", "same-anonymous-busy", "P-left" },
        { "clear-refs-counts-once", "clear-refs", "clear-refs", "same-anonymous-busy", "P-left" },
        { "migration-copies-nothing", "clear-refs", "migrate", "same-anonymous-busy", "P-kept" },
        { "fork-leaves-sequence-odd", "fork", "gup-fast", "same-anonymous-busy", "P-left" },
        { "areas-never-change", "clear-young", "munmap-tables", "same-anonymous-busy", "P-life" },
        { "uffd-ignores-area", "mprotect-ro", "uffd-unprotect", "same-anonymous-busy", "P-left" },
        { "uffd-sets-no-mark", "clear-refs", "uffd-wp", "same-anonymous-busy", "P-uffd" },
        { "uffd-forgets-swapped-pages", "madvise-pageout", "uffd-wp", "same-anonymous-busy", "P-uffd" },
        { "tables-never-freed", "clear-refs", "munmap-tables", "same-anonymous-busy", "P-left" },
        { "reclaimed-frames-not-freed", "clear-refs", "reclaim", "same-anonymous-busy", "P-left" },
        { "swap-loses-soft-dirty", "clear-refs", "madvise-pageout", "same-anonymous-busy", "P-soft" },
        { "migration-loses-soft-dirty", "clear-refs", "migrate", "same-anonymous-busy", "P-soft" },
        { "mprotect-ignores-soft-dirty", "clear-refs", "uffd-unprotect", "same-anonymous-busy", "P-soft" },
        { "clear-refs-leaves-write", "clear-refs", "clear-refs", "same-anonymous-busy", "P-soft" },
        { "madvise-collapse-unlocked", "madvise-collapse", "madvise-dontneed", "same-anonymous-busy", "P-ret" },
    };

    /// <summary>
    /// What is not found, because it harms nobody. The mark of deferred flushes that is set too early: all that look at it are inside a gather,
    /// and whoever ends one while another is under way flushes everything.
    /// </summary>
    public static TheoryData<string, string, string> Missed => new()
    {
        { "pending-cleared-before-flush", "madvise-dontneed", "reclaim-batched" },
    };

    [Theory]
    [MemberData(nameof(Found))]
    public void An_invented_bug_is_found(string bug, string first, string second, string machine, string property)
    {
        PairCell cell = BugMachines.Of(first, second).First(one => one.Machine == machine);
        BugMachines.IsFound(cell, SetupOf(bug), property, Options);
    }

    /// <summary>P-gone, P-kept, P-left, marks, the copies and freed tables of P-life, loads of P-copy and the cached pages of P-cow: what they read is in the footprints that reduction goes by.</summary>
    [Theory]
    [InlineData("zap-keeps-migration-entry", "madvise-dontneed", "migrate", "same-anonymous-busy")]
    [InlineData("cow-fault-copies-behind-put", "truncate", "user-store", "same-privatefile-busy")]
    [InlineData("cow-fault-maps-cached-page", "truncate", "user-store", "same-privatefile-busy")]
    [InlineData("tables-freed-without-grace-period", "madvise-dontneed-tables", "user-load", "overlapping-anonymous-busy")]
    [InlineData("tables-freed-before-unlinked", "munmap-tables", "migrate", "same-anonymous-busy")]
    [InlineData("cow-sets-before-flush", "user-load", "user-store", "same-copyonwrite-busy")]
    [InlineData("migration-copies-behind-mapping", "migrate", "user-store", "same-anonymous-busy")]
    [InlineData("migration-loses-soft-dirty", "clear-refs", "migrate", "same-anonymous-busy")]
    [InlineData("swap-loses-soft-dirty", "clear-refs", "madvise-pageout", "same-anonymous-lazy")]
    [InlineData("migration-copies-nothing", "clear-refs", "migrate", "same-anonymous-lazy")]
    [InlineData("uffd-sets-no-mark", "clear-refs", "uffd-wp", "same-anonymous-lazy")]
    [InlineData("uffd-ignores-area", "mprotect-ro", "uffd-unprotect", "same-anonymous-lazy")]
    [InlineData("fork-forgets-migrating-pages", "fork", "madvise-pageout", "same-anonymous-busy")]
    public void Without_reduction_the_verdicts_are_the_same(string bug, string first, string second, string machine)
    {
        PairCell cell = BugMachines.Of(first, second).First(one => one.Machine == machine);
        BugMachines.IsSameWithoutReduction(cell, SetupOf(bug), Options);
    }

    [Theory]
    [MemberData(nameof(Missed))]
    public void What_is_missed_is_known(string bug, string first, string second)
        => Assert.All(BugMachines.Of(first, second), cell => Assert.Equal(Verdict.Pass, PairRun.Check(cell, SetupOf(bug), Options).Verdict));

    [Fact]
    public void Every_invented_bug_is_in_a_table()
        => Assert.Equal(
            InventedBugs.All.Select(bug => bug.Id).Order(),
            Found.Select(row => row.Data.Item1).Concat(Missed.Select(row => row.Data.Item1)).Order());

    private static PairSetup SetupOf(string bug) => BugMachines.Setup(InventedBugs.All, bug);
}
