using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// Every bug of the catalogue that is a change of the kernel library, switched on in the matrix: a machine that shows it, and passes without
/// it. The others are listed too, so that a new scenario must say where it belongs.
/// </summary>
public sealed class CatalogueBugTests
{
    private static readonly CheckOptions Options = new() { Workers = 1, Time = TimeSpan.FromMinutes(10), MinimiserStatesMax = 1 };

    /// <summary>Bug, machine, and the property that it violates there.</summary>
    public static TheoryData<string, string, string> Found => new()
    {
        { "ttu-batch-vs-mprotect", "madvise-dontneed x reclaim-batched, same-anonymous-busy", "P-ret" },
        { "madv-dontneed-parallel", "driver-free x munmap, same-driver-busy", "P-life" },
        { "numa-protnone-migration", "numa-hint, same-anonymous-mirror", "P-life" },
        { "zap-dirty-vs-mkclean", "reclaim x truncate, same-file-busy", "P-write" },
        { "ttu-dirty-before-io", "reclaim-batched x user-load, neighbouring-anonymous-busy", "P-write" },
        { "mremap-ptes-flush-after-ptl", "mremap x reclaim, same-copyonwrite-busy", "P-life" },
        { "migrate-vma-flush-after-ptl", "madvise-dontneed x migrate-device, same-copyonwrite-busy", "P-ret" },
        { "pfnmap-munmap-vs-unmap-mapping", "driver-free x munmap, same-driver-busy", "P-life" },
        { "clear-refs-no-flush", "clear-refs x user-load, neighbouring-anonymous-busy", "P-ret" },
        { "uffd-wp-cow-copy", "uffd-unprotect x user-store, same-referenced-busy", "P-copy" },
        { "switch-mm-flush-barrier", "mprotect-rw x reclaim, same-anonymous-lazy", "P-life" },
        { "gen-defer-without-increment", "mprotect-rw x munmap-tables, same-anonymous-switching", "P-life" },
        { "gen-zero-means-old", "reclaim-batched x user-load, neighbouring-anonymous-busy", "P-life" },
        { "gen-partial-out-of-order", "reclaim x reclaim-batched, neighbouring-anonymous-busy", "P-life" },
        { "lazy-tlb-freed-tables", "mprotect-rw x munmap-tables, same-anonymous-lazy", "P-life" },
        { "switching-window-skip", "mprotect-ro x mprotect-rw, same-anonymous-switching", "P-ret" },
        { "rcu-table-free-no-invalidate", "collapse-huge x munmap, same-anonymous-busy", "P-life" },
        { "collapse-flush-skips-lazy", "collapse x collapse, same-anonymous-lazy", "P-life" },
        { "gup-fast-vs-collapse", "collapse-huge x gup-fast, same-anonymous-lazy", "P-pin" },
        { "gup-fast-vs-collapse-table-reuse", "collapse x gup-fast, same-anonymous-busy", "P-life" },
        { "hugetlb-unshare-no-flush", "fault-hugetlb x munmap-hugetlb-other, neighbouring-hugetlb-busy", "P-ret" },
        { "hugetlb-unshare-lazy", "munmap-hugetlb x munmap-hugetlb-other, same-hugetlb-lazy", "P-life" },
        { "anon-exclusive-vs-gup-fast", "gup-fast x reclaim, same-anonymous-busy", "P-pin" },
        { "fork-vs-pin-seqcount", "fork x gup-read, same-anonymous-busy", "P-pin" },
        { "cow-family", "migrate-device x user-store, same-copyonwrite-device", "P-cow" },
        { "start-only-driver-refault", "uffd-wp, same-anonymous-mirror", "P-ret" },
        { "zap-rmap-before-flush", "reclaim x truncate, same-file-busy", "P-write" },
        { "huge-zero-page-early-free", "madvise-dontneed x mprotect-rw, same-huge-busy", "P-life" },
        { "pt-reclaim-nonempty", "gup-fast x madvise-dontneed-tables, overlapping-anonymous-busy", "assert" },
        { "thp-dontneed-vs-numa-clear", "madvise-dontneed x numa-hint, same-huge-busy", "P-gone" },
        { "notifier-unpaired-end", "exit, same-anonymous-newguest", "assert" },
        { "ats-enable-vs-unmap", "reclaim-batched, same-anonymous-newdevice", "P-life" },
        { "change-pte-maps", "madvise-dontneed, same-copyonwrite-guest", "P-life" },
        { "interval-insert-during-invalidation", "migrate-device, same-anonymous-newmirror", "P-life" },
        { "interval-retry-unlocked", "migrate-device, same-anonymous-newmirror", "P-life" },
        { "clear-refs-migration", "clear-refs x migrate, same-anonymous-lazy", "P-soft" },
        { "ksm-drops-soft-dirty", "clear-refs x ksm-merge, same-anonymous-busy", "P-soft" },
        { "ksm-drops-uffd-wp", "ksm-merge x uffd-wp, same-copyonwrite-busy", "P-uffd" },
        { "ksm-vs-gup-fast", "gup-fast x ksm-merge, same-anonymous-busy", "P-pin" },
        { "mremap-table-rmap-locks", "mremap-tables x reclaim, same-anonymous-busy", "P-life" },
        { "notifier-unlinked-first", "uffd-wp, same-anonymous-newguest", "P-ret" },
        { "reclaim-under-driver-lock", "clear-refs, same-anonymous-mirror", "deadlock" },
    };

    /// <summary>Changes of the library that no machine of the matrix shows: other tables (PAE), and bits that reclaim of small pages does not need.</summary>
    private static string[] NotShown => ["pae-top-level-cached", "pmdp-invalidate-lost-ad"];

    /// <summary>
    /// Bugs that are no change of what other operations use: another architecture or system, a flush design, a kernel of another time, a driver's own
    /// program or two drivers at once, a protocol of its own.
    /// </summary>
    private static string[] NotInTheLibrary =>
    [
        "arm64-ttu-vs-asid-read", "arm64-walk-cache-early-free", "arm-asid-version-switch", "contpte-partial-reads", "openbsd-pmap-cpu-bit",
        "s390-fullmm-speculative-fill", "xen-pcid-flush-then-switch", "kvm-pv-flush-bit-lost",
        "flush-ring-mistakes", "flush-ring-tables", "invlpgb-transition-vs-reclaim", "latr-luf-lazy-unmap", "free-pgtables-vma-flags",
        "kthread-use-mm-ipi", "invalidate-page-after-ptl", "invalidate-page-of-huge-page", "notifier-double-invalidate", "cow-secondary-order",
        "tlb-end-vma-no-notifier", "sleepable-gather-order", "gather-shared-by-two", "truncate-under-spinlock", "change-pte-in-vain",
        "change-pte-order", "change-pte-uncounted",
        "khugepaged-file-no-notifier", "kvm-seq-snapshot-order", "kvm-pfncache-count", "nonblock-start-leaves-intervals",
        "sva-kernel-walk-cache", "cpa-large-page-split", "odirect-vs-fork",
        "tlbdefer", "peer-ainc", "peer-indexer", "peer-lastzero", "peer-ninc", "peer-readers", "peer-sb", "peer-seqlock", "peer-ticket",
        "peer-tlbrace", "peer-treiber",
    ];

    [Theory]
    [MemberData(nameof(Found))]
    public void The_matrix_shows_it_and_passes_without_it(string bug, string machine, string property)
    {
        PairSetup setup = PairSetup.OfBug(ScenarioList.Find(bug)!)!;
        PairCell cell = PairMatrix.Pairs(OperationList.All, []).Single(one => one.Name == machine);
        CheckReport report = PairRun.Check(cell, setup, Options);
        Assert.Equal((Verdict.Violation, property), (report.Verdict, report.Counterexample?.PropertyId));
        CheckReport replayed = PairRun.Check(cell, setup, Options with { Schedule = report.Counterexample!.Schedule });
        Assert.Equal((Verdict.Violation, report.Counterexample.Sentence), (replayed.Verdict, replayed.Counterexample?.Sentence));
        CheckReport core = PairRun.Check(cell, setup with { Parts = new KernelParts() }, Options);
        Assert.Equal((Verdict.Pass, string.Empty), (core.Verdict, core.Reason));
    }

    [Fact]
    public void Every_scenario_has_its_place()
    {
        string[] changes = [.. ScenarioList.All.Where(one => PairSetup.OfBug(one) is not null).Select(one => one.Id).Order(StringComparer.Ordinal)];
        string[] others = [.. ScenarioList.All.Where(one => PairSetup.OfBug(one) is null).Select(one => one.Id).Order(StringComparer.Ordinal)];
        Assert.Equal(changes, Found.Select(row => row.Data.Item1).Concat(NotShown).Order(StringComparer.Ordinal));
        Assert.Equal(others, NotInTheLibrary.Order(StringComparer.Ordinal));
    }

    /// <summary>
    /// Reclaim may give up what munmap and its like discard, also where a bug makes the whole kernel count the users of its pages: a case that
    /// was once taken for a loss.
    /// </summary>
    [Theory]
    [InlineData("anon-exclusive-vs-gup-fast")]
    [InlineData("cow-family")]
    [InlineData("gup-fast-vs-collapse")]
    [InlineData("reclaim-under-driver-lock")]
    public void The_kernel_that_a_bug_is_put_in_passes_where_reclaim_meets_what_is_discarded(string bug)
    {
        PairSetup core = PairSetup.OfBug(ScenarioList.Find(bug)!)! with { Parts = new KernelParts() };
        Assert.True(core.Options.AnonFolios);
        PairCell[] cells =
        [
            .. PairMatrix.Pairs(OperationList.All, []).Where(cell => cell.Machine == "same-anonymous-busy"
                && cell.Operations.Any(one => one.Promises == PromiseKind.Removed)
                && cell.Operations.Any(one => one.Id is "reclaim" or "reclaim-batched" or "madvise-pageout")),
        ];
        Assert.True(cells.Length > 6, $"{cells.Length} machines");
        Assert.Empty(PairRun.Run(cells, core, Options).Where(result => result.Report.Verdict != Verdict.Pass)
            .Select(result => $"{result.Cell.Name}: {result.Report.Verdict} {result.Report.Reason}{result.Report.Counterexample?.Sentence}"));
    }
}
