using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>change_pte behind set_pte_at: a guest reads the old page after a CPU stored to the new one.</summary>
public sealed class ChangePteOrder : Scenario
{
    private const int NewValue = 1;

    /// <inheritdoc/>
    public override string Id => "change-pte-order";

    /// <inheritdoc/>
    public override string Title => "a guest reads the old page after a CPU has stored to the new one";

    /// <inheritdoc/>
    public override int Year => 2009;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["828502d30073"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "kvm", "cow", "order"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("range", 0, 0, 1, "1 if start and end surround the change (3.7 to 6.9): then the order does not matter, and the bug passes"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        set_pte_at_notify() calls change_pte() before it sets the entry. The entry is none and flushed by then, so CPUs that touch the
        page fault and wait for the page-table lock; the guest gets its new entry first, or loses the old one.

        The other way round there is a window: the CPUs' entry leads to the new page, and allows stores, while the guest still reads
        the old page through its own. A thread stores and tells the guest; the guest looks and finds the old value.

        Once start and end surround the change, the guest has no entry in the whole window, and the order does not matter any more.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: copy-on-write of A under the page-table lock: clears the entry, flushes, sets A -> the copy, writable.",
        "CPU1: stores to A, and rings the guest's doorbell.",
        "CPU2: the guest reads A through its entry: the old page.",
        "CPU0: mmu_notifier_change_pte().",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "include/linux/mmu_notifier.h: set_pte_at_notify (2.6.32 to 6.9)",
        "commit 828502d30073, \"ksm: add mmu_notifier set_pte_at_notify()\"",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        bool range = setup["range"] == 1;
        KernelParts parts = range ? ChangePteParts.InRange : ChangePteParts.Alone;
        parts = setup.IsBug ? parts with { PteOps = kernel => new NotifyBehindSet(kernel) } : parts;
        Stage stage = DeviceStage.WithSharedPages(Stage.FlatOptions(setup, 3, 1, 4), 1, parts);
        (KernelModel kernel, Mm mm) = stage;
        var kvm = new KvmChangePte(kernel, mm, range ? ChangePteForm.InRange : ChangePteForm.Counted);
        kvm.Mmu.BuildSpte(0, 0, write: false);
        Word doorbell = stage.Machine.NewWord("doorbell");
        stage.AddThread(0, "user", () => BreakSharing(kernel, stage.Cpu(0), mm));
        stage.AddThread(1, "user", () => StoreAndRing(kernel, stage.Cpu(1), mm, doorbell));
        stage.AddThread(2, "vcpu", () => LoadWhenRung(kvm, stage.Cpu(2), doorbell));
        return stage.ToAssertedModel(setup, new PLife(), new PSecondary());
    }

    [KernelName("do_wp_page")]
    private static async Proc BreakSharing(KernelModel kernel, Cpu cpu, Mm mm)
        => await kernel.PageFault.HandleMmFault(cpu, mm, 0, true);

    private static async Proc StoreAndRing(KernelModel kernel, Cpu cpu, Mm mm, Word doorbell)
    {
        await kernel.UserAccess.UserStore(cpu, mm, 0, NewValue);
        await cpu.Exchange(doorbell, 1, StepWeight.Key);
    }

    private static async Proc LoadWhenRung(Kvm kvm, Cpu cpu, Word doorbell)
    {
        await cpu.WaitUntil(doorbell, Condition.Equal, 1);
        AccessResult seen = await kvm.Mmu.AccessLoad(cpu, 0);
        await cpu.Assert(seen.Faulted || seen.Value == NewValue, "the guest reads what was stored before it was told");
    }

    /// <summary>set_pte_at_notify() the other way round.</summary>
    private sealed class NotifyBehindSet(KernelModel kernel) : ChangePteOps(kernel)
    {
        /// <inheritdoc/>
        [KernelName("set_pte_at_notify")]
        public override async Proc SetPteAtNotify(Cpu cpu, Mm mm, PageTable table, int page, Pte value)
        {
            await SetPteAt(cpu, table, page, value);
            await ChangePte(cpu, mm, page, value);
        }
    }
}
