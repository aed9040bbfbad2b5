using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B08 for whole tables: mremap moves a page table while reclaim works on an entry of it.</summary>
public sealed class MremapTableRmapLocks : Scenario
{
    private static readonly string[] Mistakes = ["the rmap locks are not taken", "the old range is flushed behind all locks"];

    /// <inheritdoc/>
    public override string Id => "mremap-table-rmap-locks";

    /// <inheritdoc/>
    public override string Title => "mremap moves a page table whose entries reclaim holds the lock of";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["97113eb39fa7", "2c91bd4a4e2e"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["mremap", "reclaim", "page-tables"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 4, "CPU0 calls mremap, CPU1 reclaims, the others load at both places"),
        new("pages", 1, 1, 3, "pages that the table maps"),
        new("mistake", 0, 0, 1, string.Join(", ", Mistakes.Select((text, i) => $"{i} {text}"))),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Since 2019 mremap() need not move entry by entry: if a range covers all that a page table maps, move_normal_pmd()
        takes the table from the old entry of the level above, hooks it in at the new one, and flushes the old range, all under the
        locks of the tables above. The lock of the moved table itself is not taken.

        So somebody may be at work in it. Reclaim comes from the page and needs no more than the lock of the moved table. If it finds the
        page at the new place before the old range is flushed, it clears the entry, flushes the new address and frees the page, and a
        thread goes on reading it through the old one. Or it has found the table at the old place and holds its lock: then it flushes
        the old address, while a thread has loaded through the new one.

        move_ptes() leaves the rmap locks out if walks meet the pages at the old place or at the new one anyway. Here that
        is not enough, and since 2021 move_pgt_entry() always takes them: no walk from a page to its entries is under way then.

        The second mistake is that of B08: the old range is flushed when all locks are dropped. Then reclaim can find the page at the
        new place and free it while TLBs still have the old one.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: loads A: its TLB holds A -> F.",
        "CPU0: mremap: unhooks table T from A's place and hooks it in at B's.",
        "CPU1: reclaim: finds F's entry at B, takes T's lock, clears it, flushes B, frees F.",
        "CPU2: loads A through its TLB: F is free.",
        "CPU0: flushes A.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 97113eb39fa7, \"mm/mremap: hold the rmap lock in write mode when moving page table entries\"",
        "mm/mremap.c: move_pgt_entry, move_normal_pmd; commit 2c91bd4a4e2e introduced them",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return setup["mistake"] == 0
            ? new() { Mremap = kernel => new MovesWithoutRmapLocks(kernel) }
            : new() { Mremap = kernel => new FlushesBehindLocks(kernel) };
    }

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 2) with
        {
            Levels = 2,
            EntriesPerTable = Math.Max(2, pages),
            Tables = 3,
            MovableTables = true,
        };
        Stage stage = Stage.WithMappedPages(
            options, pages, mmapWriters: true, dirty: false, PartsOf(setup), new KernelOptions { AnonMoves = true, MremapTables = true });
        (KernelModel kernel, Mm mm) = stage;
        int span = options.EntriesPerTable;
        Promise promise = stage.Promise(0, span, PromiseKind.Removed, "mremap()");
        stage.AddThread(0, "mremap", () => kernel.Mremap.MoveVma(stage.Cpu(0), mm, promise, span));
        stage.AddKernelThread(1, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(1), Stage.MappedFrames(pages), false));
        for (int index = 2; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => LoadBoth(cpu, pages, span));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <summary>At the old place what is there, without a fault; then at the new one.</summary>
    private static async Proc LoadBoth(Cpu cpu, int pages, int span)
    {
        for (int page = 0; page < pages; page++)
        {
            await cpu.AccessTouch(page);
            await cpu.AccessTouch(span + page);
            await cpu.AccessTouch(page);
            await cpu.AccessTouch(span + page);
        }
    }

    /// <summary>move_pgt_entry() before 97113eb39fa7, for a move upwards.</summary>
    private sealed class MovesWithoutRmapLocks(KernelModel kernel) : Mremap(kernel)
    {
        /// <inheritdoc/>
        public override Proc<bool> MovePgtEntry(Cpu cpu, Mm mm, int oldFirst, int newFirst) => MoveNormalPmd(cpu, mm, oldFirst, newFirst);
    }

    /// <summary>move_page_tables() that flushes once, at its end.</summary>
    private sealed class FlushesBehindLocks(KernelModel kernel) : Mremap(kernel)
    {
        /// <inheritdoc/>
        public override async Proc MovePageTables(Cpu cpu, Mm mm, int oldFirst, int newFirst, int count)
        {
            await base.MovePageTables(cpu, mm, oldFirst, newFirst, count);
            await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(oldFirst, count));
        }

        /// <inheritdoc/>
        protected override async Proc FlushMovedTable(Cpu cpu, Mm mm, PageRange old)
        {
        }
    }
}
