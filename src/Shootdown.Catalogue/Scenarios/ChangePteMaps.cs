using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>KVM on arm64 maps the new page in change_pte, while somebody else's invalidation of the page is in progress.</summary>
public sealed class ChangePteMaps : Scenario
{
    /// <inheritdoc/>
    public override string Id => "change-pte-maps";

    /// <inheritdoc/>
    public override string Title => "change_pte gives a guest an entry that an invalidation in progress has already looked for";

    /// <inheritdoc/>
    public override int Year => 2024;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["f3b65bbaed7c", "2230f9e1171a"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "kvm", "cow", "arm64", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 calls madvise and enters the guest, CPU1 stores, CPU2 runs a vCPU too"),
        new("form", 0, 0, 1, "the fix: 0: change_pte is gone (6.10); 1: it changes only what is mapped, as on x86"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        On x86 change_pte() looks for the guest's entry and changes it; between start and end there is none, and nothing happens. On
        arm64 it called kvm_pgtable_stage2_map(), which maps the page whether something was mapped or not (if a neighbour's entry keeps
        the table there). It was no longer in vain then: behind its own invalidation the guest has the new page at once.

        But its own invalidation need not be the only one. MADV_DONTNEED, under mmap_lock for reading, has removed the guest's
        entries in its start and goes on to the page-table lock. A write fault gets the lock first, puts a copy in, and
        change_pte() maps it for the guest. Then MADV_DONTNEED clears the entry and frees the copy; its end removes nothing. The guest
        keeps an entry to a page that is free. A fault would have looked at mmu_invalidate_in_progress and waited; change_pte()
        cannot wait, and does not look.

        This was found by exploration, not taken from a report. A neighbour is known: change_pte() mapped pages of a memory slot that was
        being deleted, and a guest hung (2230f9e1171a). 6.10 deleted the callback.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: madvise(DONTNEED): range_start: the guest's entry of A is removed.",
        "CPU1: stores to A: copy-on-write: range_start; clears the entry, flushes; change_pte() maps the copy for the guest; range_end.",
        "CPU0: clears A's entry, flushes, range_end; the copy is freed.",
        "the guest reads A through its entry.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "arch/arm64/kvm/mmu.c: kvm_set_spte_gfn (6.1)",
        "commit 2230f9e1171a, \"KVM: Avoid illegal stage2 mapping on invalid memory slot\"",
        "commit f3b65bbaed7c, \"KVM: delete .change_pte MMU notifier callback\"",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => ChangePteParts.InRange with
    {
        Kvm = (kernel, mm, registration) => new KvmChangePte(kernel, mm, ChangePteForm.Maps, 1, registration),
    };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        bool callback = setup.IsBug || setup["form"] == 1;
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], 1, 4);
        Stage stage = DeviceStage.WithSharedPages(options, 1, callback ? ChangePteParts.InRange : new KernelParts());
        (KernelModel kernel, Mm mm) = stage;
        Kvm kvm = callback
            ? new KvmChangePte(kernel, mm, setup.IsBug ? ChangePteForm.Maps : ChangePteForm.InRange, 2) : new Kvm(kernel, mm, 2);
        kvm.Mmu.BuildSpte(0, 0, write: false);
        Promise promise = stage.Promise(0, 1, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise, vcpu", () => DiscardAndEnter(kernel, stage.Cpu(0), mm, kvm, promise));
        stage.AddThread(1, "user", () => Stage.StorePages(kernel, stage.Cpu(1), mm, 1));
        if (setup["cpus"] > 2)
        {
            stage.AddThread(2, "vcpu", () => LoadByGuest(kvm, stage.Cpu(2)));
        }

        return stage.ToModel(setup, new PLife(), new PRet(), new PSecondary());
    }

    private static async Proc DiscardAndEnter(KernelModel kernel, Cpu cpu, Mm mm, Kvm kvm, Promise promise)
    {
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        await kvm.GuestLoad(cpu, 0);
    }

    private static async Proc LoadByGuest(Kvm kvm, Cpu cpu) => await kvm.GuestLoad(cpu, 0, 1);
}
