using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>An interval that is inserted while an invalidation is in progress does not notice it.</summary>
public sealed class IntervalInsertNotDeferred : Scenario
{
    /// <inheritdoc/>
    public override string Id => "interval-insert-during-invalidation";

    /// <inheritdoc/>
    public override string Title => "an interval inserted during an invalidation does not notice it";

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["99cb252f5e68"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "interval", "device", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 calls madvise, CPU1 binds the device and handles its faults, the others are user threads"),
        new("pages", 1, 1, 3, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        mmu_interval_notifier_insert() needs no lock of the address space, so it may come in the middle of an
        invalidation: behind the start, which did not see the interval, and before entries are cleared. The interval
        gets no callback from that invalidation. If it then looked as if nothing were going on, a fault of the device
        would find the old page, enter it, and the page would be freed under the device.

        So the interval counts as being invalidated: its sequence is made equal to that of the tree, which is made odd
        if it is not; mmu_interval_read_begin() waits until the last invalidation has ended. If an invalidation is
        walking the tree, the insertion itself is put off until then.

        The bug is an insertion that does not look at active_invalidate_ranges.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: madvise: range_start: no interval overlaps.",
        "CPU1: inserts the interval; the device faults: nothing seems to be in progress; hmm_range_fault() finds F; enters F.",
        "CPU0: clears the entry, flushes, range_end, frees F.",
        "CPU1: the device uses F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 99cb252f5e68, \"mm/mmu_notifier: add an interval tree notifier\"",
        "mm/mmu_notifier.c: __mmu_interval_notifier_insert, mn_itree_inv_end",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { MmuInterval = kernel => new InsertAtOnce(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        return DriverStage.MadviseBeside(
            setup,
            "gpu",
            (stage, cpu) =>
            {
                var driver = new IntervalDriver(stage.Kernel, stage.Mm, PageRange.Of(0, pages), inserted: false);
                return () => BindAndLoad(driver, cpu, pages);
            },
            PartsOf(setup));
    }

    private static async Proc BindAndLoad(IntervalDriver driver, Cpu cpu, int pages)
    {
        await driver.Kernel.MmuInterval.MmuIntervalNotifierInsert(cpu, driver.Interval);
        await DriverStage.LoadByDevice(driver, cpu, pages);
    }

    /// <summary>Inserts as if nothing were in progress.</summary>
    private sealed class InsertAtOnce(KernelModel kernel) : MmuInterval(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc InsertDuringInvalidation(Cpu cpu, MmuIntervalNotifier interval, ulong seq)
        {
            await cpu.Store(interval.InvalidateSeq, (seq & ~1UL) - 1, weight: StepWeight.Key);
            await Link(cpu, interval.Tree.Itree, interval.Bit, true);
        }
    }
}
