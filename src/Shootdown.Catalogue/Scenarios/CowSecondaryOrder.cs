using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B43: a device sees two stores in an order in which no CPU could see them.</summary>
public sealed class CowSecondaryOrder : Scenario
{
    private const int NewValue = 1;

    /// <inheritdoc/>
    public override string Id => "cow-secondary-order";

    /// <inheritdoc/>
    public override string Number => "B43";

    /// <inheritdoc/>
    public override string Title => "a device sees the second of two stores and not the first";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "iommu", "cow", "order"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("ats", 0, 0, 1, "1 if the device has a TLB of its own behind the IOMMU's"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Copy-on-write puts another page under an address. The CPUs' TLBs are flushed before the new entry is set, so that no
        CPU uses the copy while another still uses the original. A device that shares the page tables caches the old entry too.
        If it is told only by mmu_notifier_invalidate_range_end(), behind the unlock, there is a window in which CPUs use the new page and
        the device the old one.

        In that window one CPU, preempted, owes the device the invalidation of A, while another stores to A, finds B shared
        too, replaces it, tells the device of B, and stores to B. The device then reads the new B and the old A: it sees the
        second store without the first, which the memory model of no CPU allows.

        So the notifiers' rule: where an entry will point to another page, invalidate under the page-table lock, before the new entry is
        set (ptep_clear_flush_notify). It is not needed for write protection alone, or where both pages have the same contents
        and stay read-only. Since 6.6 the flush of the CPUs' TLBs does it.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "device: the IOTLB holds A -> F1 and B -> G1.",
        "CPU0: copy-on-write of A: flushes the CPUs, sets A -> F2, unlocks; is preempted before the end of the range.",
        "CPU1: stores to A (F2); stores to B: copy-on-write, B -> G2, range_end(B): the device drops B; the store to G2.",
        "device: reads B: new. Reads A through A -> F1: old.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "Documentation/mm/mmu_notifier.rst (6.1)",
        "include/linux/mmu_notifier.h: ptep_clear_flush_notify (4.14 to 6.5)",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        const int Pages = 2;
        MachineOptions options = Stage.FlatOptions(setup, 2, Pages, 3) with { Devices = 1 };
        KernelParts parts = DeviceStage.InvalidateRangeParts();
        parts = setup.IsBug ? parts : parts with { PteOps = kernel => new NotifyUnderLock(kernel) };
        Stage stage = DeviceStage.WithSharedPages(options, Pages, parts);
        (KernelModel kernel, Mm mm) = stage;
        Device device = stage.BindDevice(setup["ats"] == 1).Device;
        stage.AddThread(0, "user", () => BreakSharing(kernel, stage.Cpu(0), mm));
        stage.AddThread(1, "user", () => Stage.StorePages(kernel, stage.Cpu(1), mm, Pages));
        device.AddProgram(() => ReadBoth(device));
        return stage.ToAssertedModel(setup, new PLife());
    }

    /// <summary>A write fault on A; whether the store follows does not matter.</summary>
    [KernelName("do_wp_page")]
    private static async Proc BreakSharing(KernelModel kernel, Cpu cpu, Mm mm)
        => await kernel.PageFault.HandleMmFault(cpu, mm, 0, true);

    /// <summary>CPU1 stores to A, then to B; who sees B new must see A new.</summary>
    private static async Proc ReadBoth(Device device)
    {
        AccessResult second = await device.AccessLoad(1);
        AccessResult first = await device.AccessLoad(0);
        bool seesSecond = !second.Faulted && second.Value == NewValue;
        bool missesFirst = !first.Faulted && first.Value != NewValue;
        await device.Assert(!(seesSecond && missesFirst), "a device that sees the store to B sees the earlier one to A");
    }

    /// <summary>ptep_clear_flush_notify().</summary>
    private sealed class NotifyUnderLock(KernelModel kernel) : PteOps(kernel)
    {
        /// <inheritdoc/>
        [KernelName("ptep_clear_flush_notify")]
        public override async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int page)
        {
            Pte old = await base.PtepClearFlush(cpu, mm, table, page);
            if (mm.HasNotifiers)
            {
                await InvalidateRangeNotifier.Of(Kernel).InvalidateRange(cpu, mm, PageRange.Of(page, 1));
            }

            return old;
        }
    }
}
