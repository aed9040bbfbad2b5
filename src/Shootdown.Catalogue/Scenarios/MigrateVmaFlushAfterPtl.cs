using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B10: device migration unmaps a page and drops the page-table lock before it flushes.</summary>
public sealed class MigrateVmaFlushAfterPtl : Scenario
{
    /// <inheritdoc/>
    public override string Id => "migrate-vma-flush-after-ptl";

    /// <inheritdoc/>
    public override string Number => "B10";

    /// <inheritdoc/>
    public override string Title => "device migration flushes behind the page-table lock, and madvise returns first";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["60bae7370896"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["deferred-flush", "migration", "device", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-ret";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 runs the driver, CPU1 calls madvise and loads, the others load"),
        new("pages", 1, 1, 3, "pages that the driver moves, one after the other"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A driver moves pages of a process to its device: migrate_vma_collect_pmd() takes the page-table lock,
        replaces each entry by a migration entry, and drops the lock; one flush for the range came behind it.
        No page is copied before that flush, so the data is safe.

        But others look at the entries too. madvise(MADV_DONTNEED) takes the lock, finds a migration entry
        where a page was, and clears it. Such an entry cannot be in a TLB, so there is nothing to flush, and
        the call returns: every thread must find new, empty memory now. A thread whose TLB still has the old
        entry goes on using the old page.

        There is no mark in the address space as reclaim leaves one (mm->tlb_flush_batched), and the driver
        has no gather that tlb_finish_mmu() could see (mm->tlb_flush_pending). The fix flushes before the lock
        is dropped.

        A page that belongs to one process alone is flushed as its entry is cleared since 5.19, because pins
        have to be looked for behind that; so the page here is one that was shared once (fork), and is mapped
        read-only.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: loads A; its TLB holds A -> F.",
        "CPU0: migrate_vma_collect_pmd: under the lock the entry of A becomes a migration entry; unlock.",
        "CPU1: madvise: under the lock the entry is not present; it is cleared, nothing is flushed; returns.",
        "CPU1: loads A, which must be empty now, and reads F through the TLB.",
        "CPU0: flushes.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 60bae7370896, \"mm/migrate_device.c: flush TLB while holding PTL\"",
        "mm/migrate_device.c: migrate_vma_collect_pmd",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];

        // The page, the place it moves to, and the new page behind madvise.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 3);
        KernelParts parts = setup.IsBug
            ? new KernelParts { MigrateDevice = kernel => new MigrateDeviceBefore2022(kernel) }
            : new KernelParts();
        var kernel = new KernelModel(new MachineModel(options), new KernelOptions { AnonFolios = true }, parts);
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: false));
        }

        var stage = new Stage(kernel, mm);
        stage.AddThread(0, "driver", () => MovePages(kernel, stage.Cpu(0), mm, pages));
        Promise promise = stage.Promise(1, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(1, "madvise", () => Discard(kernel, stage.Cpu(1), mm, promise));
        for (int index = 2; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PRet(), new PLife());
    }

    private static async Proc MovePages(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await kernel.MigrateDevice.MigrateVma(cpu, mm, page);
        }
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        await Stage.LoadPages(kernel, cpu, mm, promise.PageCount);
    }

    /// <summary>migrate_vma_collect_pmd() before 60bae7370896: the flush comes behind the lock.</summary>
    private sealed class MigrateDeviceBefore2022(KernelModel kernel) : MigrateDevice(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<int> MigrateVmaCollectPmd(Cpu cpu, Mm mm, int page)
        {
            int frame = await base.MigrateVmaCollectPmd(cpu, mm, page);
            if (frame >= 0)
            {
                await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(page, 1));
            }

            return frame;
        }

        /// <inheritdoc/>
        protected override async Proc FlushCollected(Cpu cpu, Mm mm, int page)
        {
        }
    }
}
