using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>The OOM reaper's start fails at a notifier of the list, and the interval notifiers are never told of an end.</summary>
public sealed class NonblockStartLeavesIntervals : Scenario
{
    /// <inheritdoc/>
    public override string Id => "nonblock-start-leaves-intervals";

    /// <inheritdoc/>
    public override string Title => "a start that fails without sleeping leaves intervals invalidating for ever";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "interval", "device", "deadlock"];

    /// <inheritdoc/>
    public override string Property => "deadlock";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 is the OOM reaper, CPU1 handles faults of the device, CPU2 is a user thread"),
        new("pages", 1, 1, 2, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A process has both kinds of notifiers: an interval of a GPU, and one of the list whose start must sleep. The OOM
        reaper may not sleep: it calls mmu_notifier_invalidate_range_start_nonblock(), and where that fails it leaves the
        area alone and does not call the end.

        Intervals come first. mn_itree_invalidate() raises active_invalidate_ranges and makes the sequence odd; it
        takes both back if one of its own callbacks fails. But if all intervals agree and then a notifier of the list
        fails, __mmu_notifier_invalidate_range_start() of Linux 6.1 only returns the error. The list's ends are called; the
        intervals' end is not. active_invalidate_ranges never reaches zero again: mmu_interval_read_begin() waits for
        ever, and so does mmu_interval_notifier_remove(), in the exit of the killed process, whose memory is what the
        reaper was called for.

        The fix calls mn_itree_inv_end() there. Found by reading 6.1 while the rules of failing starts were written down
        here; no report of it is known to us.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: OOM reaper: mn_itree_invalidate(): active_invalidate_ranges is 1, the sequence odd; the GPU's callback succeeds.",
        "CPU0: the other notifier would have to sleep: -EAGAIN. The area stays, and no end is called.",
        "CPU1: the device faults: mmu_interval_read_begin() waits until the sequence changes. It never does.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "mm/mmu_notifier.c (6.1): __mmu_notifier_invalidate_range_start, mn_itree_invalidate, mn_hlist_invalidate_range_start",
        "mm/oom_kill.c (6.1): __oom_reap_task_mm",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        KernelParts parts = setup.IsBug ? new KernelParts { MmuNotifier = kernel => new WithoutEnd(kernel) } : new KernelParts();
        Stage stage = DriverStage.WithPages(setup, framesPerPage: 2, mmapWriters: false, parts);
        var gpu = new IntervalDriver(stage.Kernel, stage.Mm, PageRange.Of(0, pages));
        _ = new Driver(stage.Kernel, stage.Mm);
        stage.AddKernelThread(0, "oom_reaper", () => Reap(stage, pages));
        stage.AddThread(1, "gpu", () => DriverStage.LoadByDevice(gpu, stage.Cpu(1), pages));
        DriverStage.AddUsers(stage, setup);
        return new CheckModel(stage.Machine, [new PLife(), new PSecondary(), new Assertions()], [Deadlock.Id]);
    }

    private static async Proc Reap(Stage stage, int pages) => await stage.Kernel.OomKill.OomReapTaskMm(stage.Cpu(0), stage.Mm, 0, pages);

    /// <summary>__mmu_notifier_invalidate_range_start() of Linux 6.1.</summary>
    private sealed class WithoutEnd(KernelModel kernel) : MmuNotifier(kernel)
    {
        protected override async Proc EndIntervals(Cpu cpu, Mm mm)
        {
        }
    }

    /// <summary>Its lock is held at times, and then it cannot answer without sleeping: so it has no end.</summary>
    private sealed class Driver(KernelModel kernel, Mm mm) : MmuNotifierSubscription(kernel, mm, "driver")
    {
        private readonly Word _lock = kernel.Machine.NewWord("driver.lock");

        public override bool HasInvalidateRangeEnd => false;

        [KernelName("driver_invalidate_range_start")]
        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            if (range.Blockable || await cpu.Choose(2, "whether the driver's lock is held") == 0)
            {
                return true;
            }

            await cpu.Load(_lock, weight: StepWeight.Key, text: "mutex_trylock(driver.lock): -EAGAIN");
            return false;
        }
    }
}
