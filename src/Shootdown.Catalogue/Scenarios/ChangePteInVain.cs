using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>change_pte between start and end of an invalidation finds nothing that it could change.</summary>
public sealed class ChangePteInVain : Scenario
{
    /// <inheritdoc/>
    public override string Id => "change-pte-in-vain";

    /// <inheritdoc/>
    public override string Title => "change_pte is called when nothing is left to change";

    /// <inheritdoc/>
    public override int Year => 2012;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["828502d30073", "6bdb913f0a70", "f3b65bbaed7c"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "kvm", "cow", "cost"];

    /// <inheritdoc/>
    public override string Property => "P-redundant";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 stores, CPU1 runs a vCPU, CPU2 another one"),
        new("alone", 0, 0, 1, "the fix: 0: change_pte is gone (6.10); 1: nothing surrounds it (2.6.32 to 3.6)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        When copy-on-write or KSM puts another page under an address, mmu_notifier_change_pte() tells KVM which one, so that the guest
        goes on with the new page and need not fault (2.6.32). It was called with nothing around it.

        In 3.7 the callers got mmu_notifier_invalidate_range_start() and _end(), for drivers whose callbacks sleep. KVM removes
        the guest's entry in the start and lets none come until the end. So change_pte(), in between, never finds an entry: for eleven
        years every copy and every merge took KVM's lock once more for nothing, and the guest faulted after all. 6.10 deleted the
        callback.

        In the fix with alone=1 it is as it was meant: the start is not called, and change_pte() finds the entry.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: copy-on-write: mmu_notifier_invalidate_range_start(): KVM removes the guest's entry.",
        "CPU0: under the page-table lock: clears the entry, flushes; mmu_notifier_change_pte(): the guest has no entry.",
        "CPU0: sets the new entry; mmu_notifier_invalidate_range_end().",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 6bdb913f0a70, \"mm: wrap calls to set_pte_at_notify with invalidate_range_start and invalidate_range_end\"",
        "commit f3b65bbaed7c, \"KVM: delete .change_pte MMU notifier callback\"",
        "arch/x86/kvm/mmu/tdp_mmu.c: set_spte_gfn (6.1)",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        bool alone = !setup.IsBug && setup["alone"] == 1;
        KernelParts parts = setup.IsBug ? ChangePteParts.InRange : alone ? ChangePteParts.Alone : new KernelParts();
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], 1, 3);
        Stage stage = DeviceStage.WithSharedPages(options, 1, parts);
        (KernelModel kernel, Mm mm) = stage;
        Kvm kvm = setup.IsBug || alone
            ? new KvmChangePte(kernel, mm, alone ? ChangePteForm.Counted : ChangePteForm.InRange, setup["cpus"] - 1)
            : new Kvm(kernel, mm, setup["cpus"] - 1);
        kvm.Mmu.BuildSpte(0, 0, write: false);
        stage.AddThread(0, "user", () => Stage.StorePages(kernel, stage.Cpu(0), mm, 1));
        for (int index = 1; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            int vcpu = index - 1;
            stage.AddThread(index, "vcpu", () => LoadByGuest(kvm, cpu, vcpu));
        }

        return stage.ToModel(setup, new PRedundant(), new PLife(), new PSecondary());
    }

    private static async Proc LoadByGuest(Kvm kvm, Cpu cpu, int vcpu) => await kvm.GuestLoad(cpu, 0, vcpu);
}
