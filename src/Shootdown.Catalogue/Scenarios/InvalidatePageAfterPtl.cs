using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B41: the page-granular callback, outside of the page-table lock and then under it.</summary>
public sealed class InvalidatePageAfterPtl : Scenario
{
    private const int PitfallSleep = 1;

    /// <inheritdoc/>
    public override string Id => "invalidate-page-after-ptl";

    /// <inheritdoc/>
    public override string Number => "B41";

    /// <inheritdoc/>
    public override string Title => "a device is told of an unmapped page when the page may be gone already";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["369ea8242c0f"];

    /// <inheritdoc/>
    public override string Seed => "000";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "iommu", "reclaim"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 1, 3, "CPU0 unmaps, the others are user threads; there is a device besides"),
        new("pages", 1, 1, 2, "pages that are unmapped"),
        new("pitfall", 0, 0, PitfallSleep, "0: the callback comes behind the unlock; 1: it comes under the lock, and the driver's sleeps (P-atomic)"),
        new("reference", 0, 0, 1, "1 if the caller holds a reference of its own until all is flushed"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Until 2017 reclaim told secondary MMUs of a single page with mmu_notifier_invalidate_page(), a callback of its own.
        try_to_unmap_one() called it when it had dropped the page-table lock, and by then it had dropped the entry's
        reference too. If that was the last one, the page is somebody else's while the device still goes to it through its
        TLB. Callers usually hold a reference of their own (bound "reference"), and then the page lives until they let go of it: so
        it worked, by an argument that stood nowhere.

        Moving the call under the lock was no way out. Drivers took sleeping locks in this callback, because it had been called
        without spinlocks so far: sleeping in atomic context (bound "pitfall").

        The fix deletes the callback. mmu_notifier_invalidate_range_start() and _end() surround the change and may sleep; TLBs
        that share the page tables are invalidated under the lock, before the reference is dropped, by a callback that must not.

        A third pitfall concerns tables in software only: the callback named one small page also where a huge one was unmapped. A
        TLB drops the huge entry whole if any part of it is invalidated; see invalidate-page-of-huge-page for one that does not.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "device: loads A; the IOTLB holds A -> F.",
        "CPU0: reclaim: under the page-table lock clears the entry, flushes the CPUs, drops the entry's reference; F is freed; unlocks.",
        "device: loads A through the old entry.",
        "CPU0: mmu_notifier_invalidate_page().",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 369ea8242c0f and the series around it; merge ea25c4317946",
        "seed 000, lines 10-46",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        bool sleeps = setup["pitfall"] == PitfallSleep;
        var model = new UnmapModel(
            PrimaryFlush.UnderLock,
            setup.IsBug && !sleeps ? SecondaryFlush.AfterLock : SecondaryFlush.Both,
            setup["reference"] == 1 ? ReferenceHeld.UntilFlushed : ReferenceHeld.No,
            UnmapPeer.None)
        {
            Cpus = setup["cpus"],
            Pages = setup["pages"],
            Unmapped = setup["pages"],
            Model = setup.Model,
            Tlb = setup.Tlb,
        };
        Stage stage = model.BuildStage(stage => sleeps ? new SleepingDriver(stage, setup.IsBug) : stage.BindDevice(false));
        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <summary>A driver with a mutex: taken in the callback that must not sleep, or in the one that may.</summary>
    private sealed class SleepingDriver(Stage stage, bool inInvalidate) : IommuSva(stage.Kernel, stage.Mm, stage.Machine.Devices[0], false)
    {
        private readonly bool _inInvalidate = inInvalidate;
        private readonly KernelMutex _mutex = stage.Machine.NewMutex("driver.lock");

        /// <inheritdoc/>
        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            if (!_inInvalidate)
            {
                await cpu.MutexLock(_mutex);
                await cpu.MutexUnlock(_mutex);
            }

            return true;
        }

        /// <inheritdoc/>
        public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
        {
            if (_inInvalidate)
            {
                await cpu.MutexLock(_mutex);
            }

            await base.ArchInvalidateSecondaryTlbs(cpu, range);
            if (_inInvalidate)
            {
                await cpu.MutexUnlock(_mutex);
            }
        }
    }
}
