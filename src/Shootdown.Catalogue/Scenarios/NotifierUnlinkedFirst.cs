using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A notifier is taken off the list before its release has run: reclaim finds no notifier and frees a page that the guest still uses.
/// </summary>
public sealed class NotifierUnlinkedFirst : Scenario
{
    /// <inheritdoc/>
    public override string Id => "notifier-unlinked-first";

    /// <inheritdoc/>
    public override string Title => "a notifier is unlinked before its release has removed the sptes";

    /// <inheritdoc/>
    public override int Year => 2012;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["3ad3d901bbcf", "751efd8610d3", "d34883d4e35c"];

    /// <inheritdoc/>
    public override string Seed => "004";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "srcu", "kvm", "reclaim", "exit"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 closes the virtual machine, CPU1 reclaims, CPU2 exits the address space"),
        new("pages", 1, 1, 2, "pages of the guest"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A notifier's life ends in two ways: its driver unregisters it, or the process exits. Either one calls release,
        which removes all sptes, and takes the notifier off the list. Both may happen at a time, and all the while
        reclaim may want a page.

        If the notifier is off the list before release has run, reclaim in between finds no notifier to tell, clears
        the process's entry, flushes the CPUs and frees the page. The guest's spte is still there.

        The fix of 2012 calls release first and unlinks behind it. In 2013 (751efd8610d3) the order was turned round
        again, because two threads called release; d34883d4e35c put it right: release may be called twice, and a
        grace period of SRCU lets each side wait until a release that the other side runs is over.

        The bug here is unregistering with the order of 751efd8610d3.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: unregister: takes the notifier off the list.",
        "CPU1: reclaim: clears the entry of A; no notifier is on the list; flushes; frees F.",
        "the guest reads F through its spte.",
        "CPU0: calls release, which removes the spte.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 3ad3d901bbcf, \"mm: mmu_notifier: fix freed page still mapped in secondary MMU\"",
        "commit d34883d4e35c, \"mm: mmu_notifier: re-fix freed page still mapped in secondary MMU\"",
        "mm/mmu_notifier.c: mmu_notifier_unregister, mn_hlist_release",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { MmuNotifierList = kernel => new ListOf2013(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, framesPerPage: 2);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, PartsOf(setup));
        (KernelModel kernel, Mm mm) = stage;
        var kvm = new Kvm(kernel, mm, registration: NotifierRegistration.Registered);
        for (int page = 0; page < pages; page++)
        {
            kvm.Mmu.BuildSpte(page, page, write: true);
        }

        kvm.Mmu.AddBusyUsers("guest");
        stage.AddKernelThread(0, "close", () => kernel.MmuNotifierList.MmuNotifierUnregister(stage.Cpu(0), kvm.Subscription));
        stage.AddKernelThread(1, "reclaim", () => Reclaim(kernel, stage.Cpu(1), pages));
        if (cpus > 2)
        {
            stage.AddThread(2, "exit", () => kernel.ExitMmap.ExitMm(stage.Cpu(2), mm));
        }

        return stage.ToModel(setup, new PLife());
    }

    private static async Proc Reclaim(KernelModel kernel, Cpu cpu, int pages)
        => await kernel.Reclaim.ShrinkFolioList(cpu, Stage.MappedFrames(pages), false);

    /// <summary>The order of 751efd8610d3.</summary>
    private sealed class ListOf2013(KernelModel kernel) : MmuNotifierList(kernel)
    {
        /// <inheritdoc/>
        public override async Proc MmuNotifierUnregister(Cpu cpu, MmuNotifierSubscription subscription)
        {
            NotifierListWords list = subscription.Mm.NotifierList!;
            int section = await cpu.SrcuReadLock(list.Srcu);
            await HlistDelInitRcu(cpu, list, subscription);
            await subscription.Release(cpu);
            await cpu.SrcuReadUnlock(list.Srcu, section);
            await cpu.SynchronizeSrcu(list.Srcu);
        }
    }
}
