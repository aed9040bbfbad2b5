using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B46: a driver that has no invalidate_range_end maps a page again while it is being unmapped.</summary>
public sealed class StartOnlyDriverRefault : Scenario
{
    /// <inheritdoc/>
    public override string Id => "start-only-driver-refault";

    /// <inheritdoc/>
    public override string Number => "B46";

    /// <inheritdoc/>
    public override string Title => "a driver that only implements range_start maps the page again too early";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["ea25c4317946"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "device", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 calls madvise, CPU1 handles the device's faults, the others are user threads"),
        new("pages", 1, 1, 3, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A device with page tables of its own follows a process by notifiers: before entries change the kernel
        calls invalidate_range_start(), and the driver removes its entries of the range and flushes the
        device's TLB. Many drivers of 2017 had nothing else.

        But that callback comes before the process's entries change, not after. Nothing keeps the device from
        faulting right behind it: the driver looks the page up, finds the old entry, because nobody has cleared
        it yet, and maps the page again. Then the kernel clears the entry, flushes the CPUs and frees the page.
        There is no second callback, and the device goes on using the page.

        The fix counts invalidations in progress, from start to end, and those that ended. A fault reads the
        number of ended ones before it looks the page up; under the driver's lock it maps the page only if
        none is in progress and none ended meanwhile, and else tries again. KVM and RDMA do so; interval
        notifiers put it into the core. (A driver may instead hold a reference of the page as long as it
        maps it; then the page is not freed, but no longer the process's.)
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: madvise: range_start; the driver removes its entry of A and flushes the device.",
        "CPU1: the device faults on A; the driver looks it up and finds the old entry; maps A -> F.",
        "CPU0: clears the entry, flushes the TLBs of CPUs, range_end (no callback), frees F.",
        "CPU1: the device uses F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "merge ea25c4317946, on users of mmu_notifier_invalidate_page and start-only users",
        "virt/kvm/kvm_main.c: mmu_invalidate_retry_gfn; drivers/infiniband/core/umem_odp.c before 5.5",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup)
    {
        var core = new KernelParts();
        return core with
        {
            MirrorDriver = (kernel, mm, registration) => registration == NotifierRegistration.Always
                ? new StartOnlyDriver(kernel, mm) : core.MirrorDriver(kernel, mm, registration),
        };
    }

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return DriverStage.MadviseBeside(setup, "device", (stage, cpu) =>
        {
            (KernelModel kernel, Mm mm) = stage;
            StartEndDriver driver = setup.IsBug ? new StartOnlyDriver(kernel, mm) : new StartEndDriver(kernel, mm);
            return () => DriverStage.LoadByDevice(driver, cpu, setup["pages"]);
        });
    }

    /// <summary>A driver as there were many: what it removed at the start may come back before the end.</summary>
    private sealed class StartOnlyDriver(KernelModel kernel, Mm mm) : StartEndDriver(kernel, mm)
    {
        /// <inheritdoc/>
        public override bool HasInvalidateRangeEnd => false;

        /// <inheritdoc/>
        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            await cpu.SpinLock(DriverLock);
            await Unmap(cpu, range.Pages);
            await cpu.SpinUnlock(DriverLock);
            return true;
        }
    }
}
