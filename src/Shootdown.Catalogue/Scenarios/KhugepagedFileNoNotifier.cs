using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B45: collapse of a file's pages removes a page table, and no notifier hears of it.</summary>
public sealed class KhugepagedFileNoNotifier : Scenario
{
    /// <inheritdoc/>
    public override string Id => "khugepaged-file-no-notifier";

    /// <inheritdoc/>
    public override string Number => "B45";

    /// <inheritdoc/>
    public override string Title => "khugepaged removes a page table without a word to the devices that walk it";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["f268f6cf875f", "CVE-2022-48991"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "iommu", "thp", "khugepaged"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 1, 1, 2, "CPU0 runs khugepaged, CPU1 a user thread; there is a device besides"),
        new("pages", 2, 2, 3, "small pages that are replaced: as many as a huge page has"),
        new("ats", 0, 0, 1, "1 if the device has a TLB of its own behind the IOMMU's"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        khugepaged replaces the small pages of a file by a huge one. It unmaps them one by one, as reclaim does, and tells notifiers each
        time. In every process that maps the file retract_page_tables() then takes the page table, empty by now, out of the tree: it
        clears the entry that points to it, flushes the CPUs, and frees the table. The next fault maps the huge page by one entry.

        This path had no mmu_notifier_invalidate_range_start() and _end() around it. A device that walks the page tables, and has looked
        at the table since, goes on walking it when it belongs to somebody else. Where the small pages were mapped again meanwhile
        (collapse_pte_mapped_thp), KVM held on to them too, of which it has no reference.

        The fix surrounds the removal with start and end, on this path and on the other one that clears entries without a notifier.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: collapse_file(): unmaps A, tells the device, replaces A's page by a part of the huge one.",
        "device: loads A; the IOMMU's walk cache holds PMD -> T, whose entries are empty.",
        "CPU0: retract_page_tables(): clears the PMD, flushes the CPUs; frees T.",
        "device: loads A through the old table.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit f268f6cf875f, \"mm/khugepaged: invoke MMU notifiers in shmem/file collapse paths\"",
        "mm/khugepaged.c: collapse_file, retract_page_tables, collapse_and_free_pmd (6.1)",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 2) with { Levels = 2, Tables = 3, Devices = 1, GracePeriods = true };
        KernelParts parts = DeviceStage.InvalidateRangeParts();
        parts = setup.IsBug ? parts with { KhugepagedFile = kernel => new KhugepagedBefore2022(kernel) } : parts;
        var build = new KernelOptions { Files = true, Thp = true, HugeFiles = true, RcuTableFree = true };
        Stage stage = Stage.WithMappedFile(options, pages, mmapWriters: true, FileAreaKind.Shared, parts, build);
        KernelModel kernel = stage.Kernel;
        Device device = stage.BindDevice(setup["ats"] == 1).Device;
        stage.AddKernelThread(0, "khugepaged", () => CollapseFile(kernel, stage.Cpu(0)));
        if (setup["cpus"] > 1)
        {
            stage.AddThread(1, "user", () => LoadOnce(stage.Cpu(1), pages));
        }

        device.AddProgram(() => DeviceStage.LoadPages(device, pages));
        return stage.ToModel(setup, new PLife { CopiesFrozen = true });
    }

    private static async Proc CollapseFile(KernelModel kernel, Cpu cpu) => await kernel.KhugepagedFile.CollapseFile(cpu, kernel.Files[0], 0, 0);

    /// <summary>Does not handle faults: the folio's lock keeps them away.</summary>
    private static async Proc LoadOnce(Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await cpu.AccessTouch(page);
        }
    }

    /// <summary>retract_page_tables() before f268f6cf875f.</summary>
    private sealed class KhugepagedBefore2022(KernelModel kernel) : KhugepagedFile(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int address)
        {
        }

        /// <inheritdoc/>
        protected override async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int address)
        {
        }
    }
}
