using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A driver asks mmu_interval_read_retry() before it takes its lock, and maps what was invalidated in between.</summary>
public sealed class IntervalRetryUnlocked : Scenario
{
    /// <inheritdoc/>
    public override string Id => "interval-retry-unlocked";

    /// <inheritdoc/>
    public override string Title => "a driver asks for a retry before it takes its lock";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "interval", "device", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 calls madvise, CPU1 handles faults of the device, the others are user threads"),
        new("pages", 1, 1, 3, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Interval notifiers (5.5) keep the count and the sequence of invalidations in the core. A driver's fault is
        mmu_interval_read_begin(), hmm_range_fault(), then under the driver's lock mmu_interval_read_retry() and, if
        that says no, the device's entry.

        The lock is not for the sequence: mmu_interval_read_retry() is a plain comparison, and without the lock its
        answer is old as soon as it is there. If the driver asks first and locks then, an invalidation fits in
        between: it takes the lock, stores the new sequence, finds nothing to remove, and returns. The driver then
        enters a page that the kernel is about to free, and nobody will come again.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: the device faults: mmu_interval_read_begin(), hmm_range_fault() finds F; mmu_interval_read_retry() says no.",
        "CPU0: madvise: the callback takes the lock, stores the sequence, removes nothing; clears the entry and flushes.",
        "CPU1: takes the lock and enters F.",
        "CPU0: frees F; the device uses it.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "Documentation/mm/hmm.rst: the usage pattern, \"take_lock(driver->update); if (mmu_interval_read_retry(...))\"",
        "mm/mmu_notifier.c: mmu_interval_read_begin; include/linux/mmu_notifier.h: mmu_interval_read_retry",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup)
        => new() { MirrorDriver = (kernel, mm, registration) => new RetryThenLock(kernel, mm, PageRange.All, registration) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        return DriverStage.MadviseBeside(setup, "gpu", (stage, cpu) =>
        {
            (KernelModel kernel, Mm mm) = stage;
            PageRange range = PageRange.Of(0, pages);
            IntervalDriver driver = setup.IsBug ? new RetryThenLock(kernel, mm, range) : new IntervalDriver(kernel, mm, range);
            return () => DriverStage.LoadByDevice(driver, cpu, pages);
        });
    }

    /// <summary>The lock is taken for the device's table only.</summary>
    private sealed class RetryThenLock(KernelModel kernel, Mm mm, PageRange range, NotifierRegistration registration = NotifierRegistration.Always)
        : IntervalDriver(kernel, mm, range, registration)
    {
        /// <inheritdoc/>
        [KernelName("gpu_fault")]
        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
        {
            ulong seq = await Kernel.MmuInterval.MmuIntervalReadBegin(cpu, Interval);
            Pte entry = await HmmRangeFault(cpu, page, write);
            if (!entry.Present)
            {
                return false;
            }

            if (!await Kernel.MmuInterval.MmuIntervalReadRetry(cpu, Interval, seq))
            {
                await cpu.MutexLock(DriverLock);
                await Map(cpu, page, entry, write);
                await cpu.MutexUnlock(DriverLock);
            }

            return true;
        }
    }
}
