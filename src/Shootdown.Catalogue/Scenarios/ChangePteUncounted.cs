using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>change_pte alone, in a KVM that counts on an invalidation around it: a fault under way maps the old page.</summary>
public sealed class ChangePteUncounted : Scenario
{
    /// <inheritdoc/>
    public override string Id => "change-pte-uncounted";

    /// <inheritdoc/>
    public override string Title => "a guest's fault under way maps the page that KSM has just replaced";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["c13fda237f08"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "kvm", "ksm"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 runs ksmd, CPU1 a vCPU, CPU2 is a user thread"),
        new("range", 0, 0, 1, "the fix: 0: change_pte is counted (2.6.32 to 5.12); 1: start and end surround it (3.7 to 6.9)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        KVM looks a page up without its lock, and checks under the lock that no invalidation began since. change_pte() is such an
        invalidation: behind it the old page is gone. As long as nothing surrounded it, it had to raise mmu_notifier_seq itself.

        Since 3.7 start and end surround it, and do that. 5.13 therefore dropped the count from change_pte() and asserted that an
        invalidation is in progress. This is what the assertion protects: without start and end, and without the count, a fault
        that looked the page up before KSM replaced it maps the old page afterwards, which is free.

        The bug never was in a released kernel. A caller of set_pte_at_notify() without start and end would have made it.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: the guest faults on A; the sequence is read; A is looked up: F.",
        "CPU0: ksmd: clears A's entry, flushes; change_pte(): the guest has no entry, and nothing is counted; A -> the stable page; F is freed.",
        "CPU1: takes mmu_lock: the sequence is the same; maps F; the guest reads F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit c13fda237f08, \"KVM: Assert that notifier count is elevated in .change_pte()\"",
        "commit 828502d30073, \"ksm: add mmu_notifier set_pte_at_notify()\"",
        "virt/kvm/kvm_main.c: kvm_mmu_notifier_change_pte (2.6.32, 6.1)",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        bool range = !setup.IsBug && setup["range"] == 1;
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], 1, 3 + setup["cpus"]);
        Stage stage = Stage.WithMappedPages(
            options, 1, mmapWriters: false, dirty: true, range ? ChangePteParts.InRange : ChangePteParts.Alone, new KernelOptions { AnonFolios = true });
        (KernelModel kernel, Mm mm) = stage;
        KsmStage.BuildStable(kernel, KsmStage.Stable);
        var kvm = new KvmChangePte(kernel, mm, setup.IsBug || range ? ChangePteForm.InRange : ChangePteForm.Counted);
        stage.AddKernelThread(0, "ksmd", () => KsmStage.Merge(kernel, stage.Cpu(0), mm));
        stage.AddThread(1, "vcpu", () => LoadByGuest(kvm, stage.Cpu(1)));
        if (setup["cpus"] > 2)
        {
            stage.AddThread(2, "user", () => Stage.StorePages(kernel, stage.Cpu(2), mm, 1));
        }

        return stage.ToModel(setup, new PLife(), new PSecondary());
    }

    private static async Proc LoadByGuest(Kvm kvm, Cpu cpu) => await kvm.GuestLoad(cpu, 0);
}
