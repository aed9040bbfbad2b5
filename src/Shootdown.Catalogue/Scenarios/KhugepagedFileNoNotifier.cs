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
        new("pages", 2, 1, 3, "small pages that are replaced"),
        new("ats", 0, 0, 1, "1 if the device has a TLB of its own behind the IOMMU's"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        khugepaged replaces the small pages of a file by a huge one. In every process that maps them retract_page_tables() takes the
        page table out of the tree: it clears the entry that points to it, flushes the CPUs, and frees the table later. Then the
        small pages are freed; the next fault maps the huge one.

        This path had no mmu_notifier_invalidate_range_start() and _end() around it. Devices, and KVM, held on to the small pages,
        of which they have no reference: a virtual machine went on writing pages that belonged to somebody else.

        The fix surrounds the removal with start and end, on this path and on the other one that clears entries without a notifier.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "device: loads A; the IOTLB holds A -> F, the IOMMU's walk cache PMD -> T.",
        "CPU0: retract_page_tables(): clears the PMD, flushes the CPUs; frees F, and later T.",
        "device: loads A through the old entry, or through the old table.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit f268f6cf875f, \"mm/khugepaged: invoke MMU notifiers in shmem/file collapse paths\"",
        "mm/khugepaged.c: retract_page_tables, collapse_and_free_pmd (6.1)",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 2) with { Levels = 2, Tables = 3, Devices = 1, GracePeriods = true };
        KernelParts parts = DeviceStage.InvalidateRangeParts();
        parts = setup.IsBug ? parts with { PmdCollapse = kernel => new CollapseBefore2022(kernel) } : parts;
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: false, parts);
        (KernelModel kernel, Mm mm) = stage;
        Device device = stage.BindDevice(setup["ats"] == 1).Device;
        stage.AddKernelThread(0, "khugepaged", () => CollapseFile(kernel, stage.Cpu(0), mm, Stage.MappedFrames(pages)));
        if (setup["cpus"] > 1)
        {
            stage.AddThread(1, "user", () => LoadOnce(stage.Cpu(1), pages));
        }

        device.AddProgram(() => DeviceStage.LoadPages(device, pages));
        return stage.ToModel(setup, new PLife());
    }

    /// <summary>
    /// mm/khugepaged.c: the end of <c>collapse_file</c>: the tables go, then the small pages.
    /// </summary>
    private static async Proc CollapseFile(KernelModel kernel, Cpu cpu, Mm mm, ulong frames)
    {
        await kernel.PmdCollapse.CollapsePteMappedThp(cpu, mm, 0);
        await cpu.PutFrames(frames, "folio_put");
    }

    /// <summary>Does not handle faults: the collapse keeps them away.</summary>
    private static async Proc LoadOnce(Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await cpu.AccessTouch(page);
        }
    }

    /// <summary>retract_page_tables() before f268f6cf875f.</summary>
    private sealed class CollapseBefore2022(KernelModel kernel) : PmdCollapse(kernel)
    {
        /// <inheritdoc/>
        [KernelName("retract_page_tables")]
        public override async Proc CollapsePteMappedThp(Cpu cpu, Mm mm, int page)
        {
            int removed = await CollapseTable(cpu, mm, page);
            if (removed >= 0)
            {
                await PteFreeDefer(cpu, removed);
            }
        }
    }
}
