using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S08: a start that fails leaves another notifier's invalidation open for ever.</summary>
public sealed class NotifierUnpairedEnd : Scenario
{
    /// <inheritdoc/>
    public override string Id => "notifier-unpaired-end";

    /// <inheritdoc/>
    public override string Number => "S08";

    /// <inheritdoc/>
    public override string Title => "one notifier fails, the other one is never told the end, and its faults are tried again for ever";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["c2655835fd8c"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["mmu-notifier", "oom", "livelock"];

    /// <inheritdoc/>
    public override string Property => PProgress.Name;

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 runs the OOM reaper, the others fault through the first notifier's page tables"),
        new("notifiers", 1, 1, 3, "notifiers that have an end, in front of the one that fails"),
        new("order", 0, 0, 1, "1: the one that fails is the first in the list"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        The OOM reaper must not sleep, so it calls mmu_notifier_invalidate_range_start_nonblock(). A notifier that
        would have to wait for a lock answers -EAGAIN, and the reaper leaves the range alone. It must not call
        the end then: nothing was started, it thinks.

        But the notifiers in front of the one that failed did start. KVM raises a count in its start and lowers it
        in its end; while it is raised, page faults of the guest are tried again. Without an end they are tried for
        ever.

        The fix calls the end of those that have one before the failure is reported. So a notifier that may fail
        must not have an end itself: it would be called for a start that failed.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: OOM reaper: range_start: the first notifier counts the invalidation.",
        "CPU0: the second one answers -EAGAIN: the reaper gives up.",
        "CPU1: a guest faults: an invalidation is under way: again, and again.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit c2655835fd8c, \"mm/mmu_notifiers: ensure range_end() is paired with range_start()\"",
        "mm/mmu_notifier.c: mn_hlist_invalidate_range_start; mm/oom_kill.c: __oom_reap_task_mm",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { MmuNotifier = kernel => new NotifierBefore2021(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], 1, 2);
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, PartsOf(setup));
        (KernelModel kernel, Mm mm) = stage;
        if (setup["order"] == 1)
        {
            _ = new Impatient(kernel, mm);
        }

        Word active = kernel.Machine.NewWord("mmu_invalidate_in_progress");
        for (int i = 0; i < setup["notifiers"]; i++)
        {
            _ = new Counting(kernel, mm, active);
        }

        if (setup["order"] == 0)
        {
            _ = new Impatient(kernel, mm);
        }

        stage.AddKernelThread(0, "oom_reaper", () => OomReapTaskMm(kernel, stage.Cpu(0), mm));
        for (int index = 1; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddKernelThread(index, "vcpu", () => KvmTdpPageFault(cpu, active));
        }

        return new CheckModel(stage.Machine, [new PProgress(), new Assertions()], [PProgress.Name]);
    }

    [KernelName("__oom_reap_task_mm")]
    private static async Proc OomReapTaskMm(KernelModel kernel, Cpu cpu, Mm mm)
    {
        if (await kernel.MmuNotifier.InvalidateRangeStartNonblock(cpu, mm, 0, 1))
        {
            await kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, 0, 1);
        }
    }

    /// <summary>arch/x86/kvm/mmu: RET_PF_RETRY while an invalidation is under way: the guest runs again and faults again.</summary>
    [KernelName("kvm_tdp_page_fault")]
    private static async Proc KvmTdpPageFault(Cpu cpu, Word active)
    {
        while (await cpu.Load(active, weight: StepWeight.Key) != 0)
        {
        }
    }

    /// <summary>mn_hlist_invalidate_range_start() before c2655835fd8c: calls everybody and reports the failure.</summary>
    private sealed class NotifierBefore2021(KernelModel kernel) : MmuNotifier(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc<bool> MnHlistInvalidateRangeStart(Cpu cpu, Mm mm, NotifierRange range)
        {
            bool all = true;
            for (int i = 0; i < mm.Subscriptions.Count; i++)
            {
                all &= await mm.Subscriptions[i].InvalidateRangeStart(cpu, range);
            }

            return all;
        }
    }

    /// <summary>Counts invalidations under way, as KVM does.</summary>
    private sealed class Counting(KernelModel kernel, Mm mm, Word active) : MmuNotifierSubscription(kernel, mm, "kvm")
    {
        private readonly Word _active = active;

        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            await cpu.AddReturn(_active, 1, StepWeight.Key);
            return true;
        }

        public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range) => await cpu.AddReturn(_active, -1, StepWeight.Key);
    }

    /// <summary>Cannot answer without sleeping at times, and has no end.</summary>
    private sealed class Impatient(KernelModel kernel, Mm mm) : MmuNotifierSubscription(kernel, mm, "driver")
    {
        public override bool HasInvalidateRangeEnd => false;

        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
            => range.Blockable || await cpu.Choose(2, "whether the driver's lock is free") == 0;
    }
}
