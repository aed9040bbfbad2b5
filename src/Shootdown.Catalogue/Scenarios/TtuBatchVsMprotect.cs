using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// B01: reclaim unmaps without flushing; mprotect, munmap or madvise believe that there is nothing to flush.
/// </summary>
public sealed class TtuBatchVsMprotect : Scenario
{
    private const int SiteMprotect = 0;
    private const int SiteMunmap = 1;
    private const int SiteMadvise = 2;

    /// <inheritdoc/>
    public override string Id => "ttu-batch-vs-mprotect";

    /// <inheritdoc/>
    public override string Number => "B01";

    /// <inheritdoc/>
    public override string Title => "reclaim defers its flush, and mprotect sees nothing to flush";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["3ea277194daa"];

    /// <inheritdoc/>
    public override string Seed => "000";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["deferred-flush", "reclaim", "mprotect", "munmap", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-ret";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 reclaims, CPU1 makes the call, the others are user threads"),
        new("pages", 1, 1, 4, "pages that are reclaimed and that the call covers"),
        new("site", SiteMprotect, SiteMprotect, SiteMadvise,
            "who forgets to look for deferred flushes: 0 mprotect, 1 zap_pte_range in munmap, 2 the same in madvise"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Reclaim unmaps many pages in a row. Since 2015 it does not flush for each: try_to_unmap_one() clears
        the entry under the page-table lock, remembers in a batch which CPUs may have cached it, and drops the
        lock. One flush for the whole batch comes later, before any of the pages is written out or freed. For
        reclaim itself that is enough.

        It is not enough for others who look at the entry meanwhile. mprotect() takes the lock, finds no
        present entry, changes nothing, so its gather has nothing to flush, and returns: the range is
        read-only now. But a thread on another CPU, or the caller itself, may still store through the old
        writable TLB entry. In the same way munmap() and madvise(MADV_DONTNEED) return while the old pages can
        be reached.

        The fix leaves a note in the address space: set_tlb_ubc_flush_pending() marks mm->tlb_flush_batched
        under the page-table lock, and everybody who is about to draw conclusions from entries calls
        flush_tlb_batched_pending() first, with the lock held. It flushes the address space if a note is
        there. The price is at most one more flush for a reclaim cycle.

        Each call site counts: the bound "site" chooses which one forgets the call. 6.1 has two more, mremap
        and the madvise walkers for MADV_COLD and MADV_FREE.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: stores to A; its TLB holds A -> F, writable.",
        "CPU0: reclaim: under the page-table lock the entry is cleared; the flush is put off; unlock.",
        "CPU1: mprotect(A, PROT_READ): under the lock the entry is not present; nothing is recorded; returns.",
        "CPU1: stores to A through the old writable TLB entry.",
        "CPU0: try_to_unmap_flush(), then F is freed.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 3ea277194daa, \"mm, mprotect: flush TLB if potentially racing with a parallel reclaim ...\"",
        "mm/rmap.c: try_to_unmap_one, set_tlb_ubc_flush_pending, flush_tlb_batched_pending",
        "seed 000, link [1]",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new()
    {
        Mprotect = kernel => new MprotectBefore2017(kernel),
        Zap = kernel => new ZapBefore2017(kernel),
    };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        int site = setup["site"];

        // One frame of a page may wait for reclaim's flush, one in a gather, and one is mapped.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, site == SiteMprotect ? 2 : 3);
        KernelParts parts = !setup.IsBug ? new KernelParts()
            : site == SiteMprotect ? new KernelParts { Mprotect = kernel => new MprotectBefore2017(kernel) }
            : new KernelParts { Zap = kernel => new ZapBefore2017(kernel) };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: site != SiteMadvise, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddKernelThread(0, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), Stage.MappedFrames(pages), true));
        (string role, PromiseKind kind) = site switch
        {
            SiteMprotect => ("mprotect", PromiseKind.WriteProtected),
            SiteMunmap => ("munmap", PromiseKind.Removed),
            _ => ("madvise", PromiseKind.Removed),
        };
        Promise promise = stage.Promise(1, pages, kind, $"{role}()");
        stage.AddThread(1, role, () => CallThenAccess(kernel, stage.Cpu(1), mm, promise, site));
        for (int index = 2; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => AccessPages(kernel, cpu, mm, pages, site));
        }

        return stage.ToModel(setup, new PRet(), new PLife(), new PWrite());
    }

    private static async Proc CallThenAccess(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, int site)
    {
        if (site == SiteMprotect)
        {
            await kernel.Mprotect.MprotectReadOnly(cpu, mm, promise);
        }
        else if (site == SiteMunmap)
        {
            await kernel.Munmap.DoMunmap(cpu, mm, promise);
        }
        else
        {
            await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        }

        await AccessPages(kernel, cpu, mm, promise.PageCount, site);
    }

    private static async Proc AccessPages(KernelModel kernel, Cpu cpu, Mm mm, int pages, int site)
    {
        if (site == SiteMprotect)
        {
            await Stage.StorePages(kernel, cpu, mm, pages);
        }
        else
        {
            await Stage.LoadPages(kernel, cpu, mm, pages);
        }
    }

    /// <summary>change_pte_range() before 3ea277194daa: it does not look for deferred flushes.</summary>
    private sealed class MprotectBefore2017(KernelModel kernel) : Mprotect(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        {
        }
    }

    /// <summary>zap_pte_range() before 3ea277194daa: it does not look for deferred flushes.</summary>
    private sealed class ZapBefore2017(KernelModel kernel) : Zap(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        {
        }
    }
}
