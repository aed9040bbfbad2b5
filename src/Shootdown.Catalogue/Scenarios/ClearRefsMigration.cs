using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>clear_refs</c> meets the entry of a migration, which keeps the right to write.</summary>
public sealed class ClearRefsMigration : Scenario
{
    /// <inheritdoc/>
    public override string Id => "clear-refs-migration";

    /// <inheritdoc/>
    public override string Title => "clear_refs leaves a migration entry writable, and the next store is not noted as soft-dirty";

    /// <inheritdoc/>
    public override int Year => 2013;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["soft-dirty", "migration"];

    /// <inheritdoc/>
    public override string Property => "P-soft";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 writes to clear_refs, CPU1 migrates, the other stores"),
        new("pages", 1, 1, 2, "pages"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A checkpointer writes 4 to /proc/PID/clear_refs and later asks /proc/PID/pagemap which pages are soft-dirty: those
        that were written in between. clear_soft_dirty() takes the mark off each entry and the right to write with it, so
        that the first store faults and sets the mark again. That pairing is all there is: an entry that is writable and
        not marked lets stores through that nobody learns of.

        While a page is being migrated, its entry is a migration entry, which remembers both. Of that clear_soft_dirty()
        clears the mark only (pte_swp_clear_soft_dirty), not the right to write. When the migration is over,
        remove_migration_pte() makes the page writable again as the entry says, and not marked. mprotect() and userfaultfd,
        which have the same problem, turn the entry into a readable one (make_readable_migration_entry).

        Since 6.1 migration entries remember the dirty bit too, and a page that was dirty comes back dirty, which marks it:
        what is left there are pages that are clean, as MADV_FREE leaves them. Before, every page is lost. The matrix found
        it (clear-refs against migrate) once P-soft followed the marks; no report of it is known here.

        The fix takes the right to write from the migration entry, as mprotect() does.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: migration: the entry of A is a migration entry, writable and soft-dirty.",
        "CPU0: clear_refs: the entry loses the mark; it is still writable.",
        "CPU1: remove_migration_ptes(): A is writable and not soft-dirty.",
        "A store to A does not fault: pagemap says that A was not written.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "fs/proc/task_mmu.c: clear_soft_dirty, clear_soft_dirty_pmd (6.1)",
        "mm/migrate.c: remove_migration_pte; mm/mprotect.c: change_pte_range (6.1)",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { ClearRefs = kernel => new ClearRefsOfLinux(kernel) };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { AnonFolios = true, SoftDirty = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 2 * pages);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: false, PartsOf(setup), BugOptions);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.WritesForgotten, "clear_refs");
        stage.AddThread(0, "checkpoint", () => kernel.ClearRefs.ClearRefsWrite(stage.Cpu(0), mm, promise));
        stage.AddKernelThread(1, "compaction", () => kernel.Migrate.CompactZone(stage.Cpu(1), 0, pages, false));
        for (int index = 2; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.StorePages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PSoftDirty(), new PRet(), new PLife());
    }

    /// <summary>clear_soft_dirty() of Linux: an entry that is not present loses the mark and nothing else.</summary>
    private sealed class ClearRefsOfLinux(KernelModel kernel) : ClearRefs(kernel)
    {
        /// <inheritdoc/>
        protected override Pte SwpClearSoftDirty(Pte entry) => entry.Without(Pte.SoftDirtyBit);
    }
}
