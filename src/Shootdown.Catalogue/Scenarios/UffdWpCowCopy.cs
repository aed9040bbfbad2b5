using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B13: copy-on-write copies a page that another CPU still writes through a stale TLB entry.</summary>
public sealed class UffdWpCowCopy : Scenario
{
    private const int StartWritable = 0;
    private const int StartProtect = 1;

    /// <inheritdoc/>
    public override string Id => "uffd-wp-cow-copy";

    /// <inheritdoc/>
    public override string Number => "B13";

    /// <inheritdoc/>
    public override string Title => "copy-on-write copies a page while a stale TLB entry still lets stores through";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["6ce64428d620"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["copy-on-write", "deferred-flush", "gather", "userfaultfd"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 5, "CPU0 changes the protection, CPU1 stores, CPU2 stores and loads; with start 1 the last one "
            + "lifts the protection"),
        new("pages", 1, 1, 2, "pages of the range"),
        new("start", StartWritable, StartWritable, StartProtect,
            "how a TLB comes to be writable: 0 unprotect takes the right to write away, 1 a protect and an unprotect "
            + "overlap (at least 4 CPUs)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        With userfaultfd a thread of a process write-protects pages of others and lifts the protection again
        (UFFDIO_WRITEPROTECT). Both run change_protection() with mmap_lock held for reading, so page faults go
        on meanwhile; the TLB flush comes at the end.

        A write fault on a read-only page copies it if somebody else has a reference. wp_page_copy() copies
        without the page-table lock, then takes the lock and looks whether the entry is what it was. That is
        enough if nobody can write the page while it is copied, and a read-only entry used to say so. Here it
        does not: the entry is read-only, but the flush is still to come, and a third CPU stores through its
        writable TLB entry, into the old page, behind the copy. The store is lost.

        How can there be a writable TLB entry of an entry that is not marked as protected any more? The bound
        "start" chooses. Lifting the protection of a page that was not protected also takes the right to
        write away, because it computes the entry from the area's rights (0). Or one thread protects, and
        another one lifts the protection before the first one has flushed (1): the second changes nothing
        that has to be flushed.

        The fix asks in do_wp_page(), under the lock: if the area is registered for write protection and
        mm->tlb_flush_pending is raised, the page is flushed first.

        The page is not marked exclusive, although it is writable: the mark came in 2022, and since then such
        a page is written in place. It has a second reference, as if it was in the swap cache or pinned.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: stores to A; its TLB holds A -> F, writable.",
        "CPU0: lifts the protection of A: its entry loses the right to write; unlock; the flush is still to come.",
        "CPU1: stores to A: write fault; the entry is read-only and not marked: copies F to G without the lock.",
        "CPU2: stores to A through its TLB: into F.",
        "CPU1: takes the lock; the entry is what it was; clears it, flushes, sets A -> G.",
        "CPU2: loads A: G, without its store.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 6ce64428d620, \"mm/userfaultfd: fix memory corruption due to writeprotect\"",
        "mm/memory.c: do_wp_page, wp_page_copy; mm/userfaultfd.c: mwriteprotect_range",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { PageFault = kernel => new PageFaultBefore2021(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        bool overlaps = setup["start"] == StartProtect;
        int cpus = overlaps ? Math.Max(setup["cpus"], 4) : setup["cpus"];
        int storing = overlaps ? cpus - 1 : cpus;

        // The old page, which keeps its second reference, the new one, and what others copied for nothing.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, storing);
        KernelParts parts = PartsOf(setup);

        Stage stage = Stage.WithMappedPages(
            options, pages, mmapWriters: false, dirty: true, parts,
            new KernelOptions { AnonFolios = true, UserfaultWp = true });
        (KernelModel kernel, Mm mm) = stage;
        for (int page = 0; page < pages; page++)
        {
            Folio folio = kernel.Folios[page];
            stage.Machine.SetInitial(folio.AnonExclusive.Address, 0);
            stage.Machine.SetInitial(folio.Frame.RefCount.Address, 2);
        }

        if (overlaps)
        {
            Overlapping(stage, pages, cpus - 1);
        }
        else
        {
            stage.AddKernelThread(0, "uffd", () => kernel.Userfaultfd.WriteUnprotect(stage.Cpu(0), mm, 0, pages));
            stage.AddThread(1, "user", () => StorePages(kernel, stage.Cpu(1), mm, pages));
        }

        for (int index = 2; index < storing; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => StoreThenLoad(kernel, cpu, mm, pages));
        }

        Property[] others = setup.IsBug ? [] : [new PLife()];
        return new CheckModel(stage.Machine, [new Assertions(), .. others], ["assert"]);
    }

    /// <summary>
    /// One thread of the other process protects, another one lifts the protection as soon as the first one has changed
    /// the entries, and a third one writes to this process (process_vm_writev).
    /// </summary>
    private static void Overlapping(Stage stage, int pages, int last)
    {
        (KernelModel kernel, Mm mm) = stage;
        Word changed = stage.Machine.NewWord("entries_changed");
        stage.AddKernelThread(0, "protect", () => Protect(kernel, stage.Cpu(0), mm, pages, changed));
        stage.AddKernelThread(1, "writev", () => FaultInPages(kernel, stage.Cpu(1), mm, pages));
        stage.AddKernelThread(last, "unprotect", () => Unprotect(kernel, stage.Cpu(last), mm, pages, changed));
    }

    /// <summary>mwriteprotect_range(), which tells when it has changed the entries.</summary>
    private static async Proc Protect(KernelModel kernel, Cpu cpu, Mm mm, int pages, Word changed)
    {
        TlbGather tlb = await kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await kernel.Mprotect.ChangeProtection(tlb, 0, pages, ProtectionChange.UserfaultProtect);
        await cpu.Store(changed, 1);
        await kernel.MmuGather.TlbFinishMmu(tlb);
    }

    private static async Proc Unprotect(KernelModel kernel, Cpu cpu, Mm mm, int pages, Word changed)
    {
        await cpu.WaitUntil(changed, Condition.Equal, 1);
        await kernel.Userfaultfd.WriteUnprotect(cpu, mm, 0, pages);
    }

    /// <summary>Every thread stores something else than 0, which the pages hold at first.</summary>
    private static async Proc StorePages(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await kernel.UserAccess.UserStore(cpu, mm, page, cpu.Index);
        }
    }

    private static async Proc StoreThenLoad(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await kernel.UserAccess.UserStore(cpu, mm, page, cpu.Index);
            int found = await kernel.UserAccess.UserLoadValue(cpu, mm, page);
            await cpu.Assert(found != 0, "a store is there for all later loads");
        }
    }

    /// <summary>mm/gup.c: <c>faultin_page</c> for writing, of another process; what it writes does not matter.</summary>
    private static async Proc FaultInPages(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await kernel.PageFault.HandleMmFault(cpu, mm, page, true);
        }
    }

    /// <summary>do_wp_page() before 6ce64428d620: it does not look for flushes that are pending.</summary>
    private sealed class PageFaultBefore2021(KernelModel kernel) : PageFault(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc FlushPendingWriteProtection(Cpu cpu, Mm mm, int page)
        {
        }
    }
}
