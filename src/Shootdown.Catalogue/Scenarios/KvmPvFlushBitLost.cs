using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B28: the host overwrites a guest's note "flush this virtual CPU before it runs".</summary>
public sealed class KvmPvFlushBitLost : Scenario
{
    /// <inheritdoc/>
    public override string Id => "kvm-pv-flush-bit-lost";

    /// <inheritdoc/>
    public override string Number => "B28";

    /// <inheritdoc/>
    public override string Title => "the host overwrites a guest's request to flush a virtual CPU";

    /// <inheritdoc/>
    public override int Year => 2019;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["8c6de56a42e0", "CVE-2019-3016"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["virtualisation", "deferred-flush", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "virtual CPUs: CPU0 calls madvise, the others are switched out and in by the host"),
        new("pages", 1, 1, 2, "pages of the range"),
        new("puts", 2, 2, 3, "how often the host switches a virtual CPU's thread out before it enters the guest"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        In a virtual machine a flush may have to wait for a virtual CPU whose thread the host has switched out.
        So KVM and its guests share a byte for each virtual CPU: the host stores KVM_VCPU_PREEMPTED when it
        switches the thread out. A guest that wants to flush such a virtual CPU adds KVM_VCPU_FLUSH_TLB with a
        compare-exchange and sends no IPI. Before the virtual CPU runs again the host takes the byte with an
        exchange, and flushes if it was asked to.

        The host's store is a plain store of the whole byte. It is right if nobody can have added anything. But
        a thread may be switched out, in, and out again without ever entering the guest. Then the host stores
        KVM_VCPU_PREEMPTED a second time, over a request that the guest has made meanwhile. The guest believes
        that the virtual CPU will flush, frees the page, and the virtual CPU uses it through its TLB.

        The fix does nothing if the byte says "preempted" already. (The rest of the CVE is about the host's
        mapping of the byte itself.)
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "host: switches CPU1's thread out: byte = PREEMPTED.",
        "CPU0: madvise: clears the entry of A; CPU1 is preempted: byte = PREEMPTED | FLUSH_TLB, no IPI.",
        "CPU0: frees F.",
        "host: switches CPU1's thread in and out again: byte = PREEMPTED; the request is lost.",
        "host: CPU1 enters the guest: nothing to flush.",
        "CPU1: loads A and reaches F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 8c6de56a42e0, \"x86/kvm: Be careful not to clear KVM_VCPU_FLUSH_TLB bit\"",
        "arch/x86/kernel/kvm.c: kvm_flush_tlb_multi; arch/x86/kvm/x86.c: kvm_steal_time_set_preempted, record_steal_time",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        int puts = setup["puts"];
        bool isBug = setup.IsBug;
        var parts = new KernelParts
        {
            TlbFlush = kernel => isBug ? new SetPreemptedBefore2020(kernel) : new KvmPvFlush(kernel),
        };
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise", () => Discard(kernel, stage.Cpu(0), mm, promise));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "host, then guest", () => RunVcpu(kernel, cpu, mm, pages, puts));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    private static async Proc RunVcpu(KernelModel kernel, Cpu vcpu, Mm mm, int pages, int puts)
    {
        var host = (KvmPvFlush)kernel.TlbFlush;
        for (int i = 0; i < puts; i++)
        {
            await host.KvmArchVcpuPut(vcpu);
        }

        await host.VcpuEnterGuest(vcpu);
        await Stage.LoadPages(kernel, vcpu, mm, pages);
    }

    /// <summary>kvm_steal_time_set_preempted() before 8c6de56a42e0.</summary>
    private sealed class SetPreemptedBefore2020(KernelModel kernel) : KvmPvFlush(kernel)
    {
        /// <inheritdoc/>
        public override async Proc KvmStealTimeSetPreempted(Cpu vcpu)
            => await vcpu.Store(Preempted(vcpu), VcpuPreempted, weight: StepWeight.Key);
    }
}
