using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A driver allocates memory under the lock that its invalidate callback takes: reclaim calls the notifier and waits for ever.</summary>
public sealed class ReclaimUnderDriverLock : Scenario
{
    /// <inheritdoc/>
    public override string Id => "reclaim-under-driver-lock";

    /// <inheritdoc/>
    public override string Title => "a driver allocates memory under the lock that its notifier takes";

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["810e24e009cf"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "interval", "device", "reclaim", "deadlock"];

    /// <inheritdoc/>
    public override string Property => "deadlock";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 1, 1, 3, "CPU0 handles a fault of the device, CPU1 calls madvise, CPU2 is a user thread"),
        new("pages", 1, 1, 2, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A driver's fault needs memory: a page of the device's page table. If memory is short the allocator reclaims,
        in the context of who allocates: it unmaps pages of processes, and tells their notifiers before it does.

        If the fault allocates under the lock that the invalidate callback takes, and reclaim picks a page of the range,
        the callback waits for a lock that its own task holds. With two tasks the same cycle closes in other ways:
        whoever is inside reclaim or holds mmap_lock for writing waits for the driver's lock, and who holds that waits
        for them.

        So under such a lock nothing may be allocated that can reclaim, and nothing may be faulted in. lockdep says so since
        5.4: it takes a map of mmu_notifier_invalidate_range_start() inside fs_reclaim.

        The fix allocates before it takes the lock.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: the device faults; the driver takes its lock and allocates.",
        "CPU0: memory is short: shrink_folio_list(), try_to_unmap(), mmu_notifier_invalidate_range_start().",
        "CPU0: the callback waits for the lock that CPU0 holds.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 810e24e009cf, \"mm/mmu_notifiers: annotate with might_sleep()\", and the lockdep map of the same series",
        "Documentation/mm/hmm.rst; mm/page_alloc.c: fs_reclaim_acquire",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new()
    {
        MirrorDriver = (kernel, mm, registration) => new AllocatingDriver(kernel, mm, PageRange.All, underLock: true, registration),
    };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { AnonFolios = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        Stage stage = DriverStage.WithPages(setup, framesPerPage: 4, mmapWriters: false);
        (KernelModel kernel, Mm mm) = stage;
        int pages = setup["pages"];
        var driver = new AllocatingDriver(kernel, mm, PageRange.Of(0, pages), underLock: setup.IsBug);
        stage.AddThread(0, "gpu", () => DriverStage.LoadByDevice(driver, stage.Cpu(0), 1));
        if (setup["cpus"] > 1)
        {
            DriverStage.AddMadvise(stage, 1, pages);
        }

        DriverStage.AddUsers(stage, setup);
        return new CheckModel(stage.Machine, [new PLife(), new PRet(), new Assertions()], [Deadlock.Id]);
    }

    /// <summary>A driver whose fault allocates a page of the device's page table, which reclaims a page of the process.</summary>
    private sealed class AllocatingDriver(
        KernelModel kernel, Mm mm, PageRange range, bool underLock, NotifierRegistration registration = NotifierRegistration.Always)
        : IntervalDriver(kernel, mm, range, registration)
    {
        private readonly bool _underLock = underLock;

        /// <inheritdoc/>
        [KernelName("gpu_fault")]
        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
        {
            if (!_underLock)
            {
                await AllocDeviceTable(cpu);
            }

            ulong seq = await Kernel.MmuInterval.MmuIntervalReadBegin(cpu, Interval);
            Pte entry = await HmmRangeFault(cpu, page, write);
            if (!entry.Present)
            {
                return false;
            }

            await cpu.MutexLock(DriverLock);
            if (_underLock)
            {
                await AllocDeviceTable(cpu);
            }

            if (!await Kernel.MmuInterval.MmuIntervalReadRetry(cpu, Interval, seq))
            {
                await Map(cpu, page, entry, write);
            }

            await cpu.MutexUnlock(DriverLock);
            return true;
        }

        /// <summary>mm/vmscan.c: <c>try_to_free_pages</c>: what an allocation with GFP_KERNEL does if there is no free page.</summary>
        [KernelName("try_to_free_pages")]
        private async Proc AllocDeviceTable(Cpu cpu) => await Kernel.Reclaim.ShrinkFolioList(cpu, 1, false);
    }
}
