using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B47, second half: the pfn cache looks at the count that is raised after caches were invalidated.</summary>
public sealed class KvmPfnCacheCount : Scenario
{
    /// <inheritdoc/>
    public override string Id => "kvm-pfncache-count";

    /// <inheritdoc/>
    public override string Title => "the pfn cache of KVM looks at a count that is raised too late";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["58cd407ca4c6"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "kvm", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 calls madvise, CPU1 uses the cache, CPU2 is a user thread"),
        new("pages", 1, 1, 2, "pages of the range; the first one is cached"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        KVM keeps some guest pages mapped in the kernel, to write the state of a vCPU there: gfn_to_pfn caches. Like
        sptes they hold no reference, and the notifier invalidates them.

        kvm_mmu_notifier_invalidate_range_start() first invalidates the caches, then takes mmu_lock, raises
        mmu_invalidate_in_progress and removes sptes. A refresh of a cache that was not valid then looks the page
        up without the cache's lock, and asked afterwards whether an invalidation is in progress: by
        mmu_invalidate_in_progress. In the window between the two that count is still 0 and the sequence still the old
        one, so the cache becomes valid with a page that is freed next; nobody will invalidate it again.

        The fix asks for mn_active_invalidate_count, which is raised before caches are invalidated and lowered
        after the sequence was raised.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: the cache is not valid: reads the sequence, looks A up: F.",
        "CPU0: madvise: range_start: the cache is not valid, nothing to do.",
        "CPU1: mmu_invalidate_in_progress is 0, the sequence is the same: the cache becomes valid, with F.",
        "CPU0: mmu_invalidate_in_progress is 1; A is cleared and flushed; range_end; F is freed.",
        "CPU1: reads F through the cache.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 58cd407ca4c6, \"KVM: Fix multiple races in gfn=>pfn cache refresh\"",
        "virt/kvm/pfncache.c: mmu_notifier_retry_cache, hva_to_pfn_retry; virt/kvm/kvm_main.c: kvm_mmu_notifier_invalidate_range_start",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return DriverStage.MadviseBeside(setup, "vcpu", (stage, cpu) =>
        {
            (KernelModel kernel, Mm mm) = stage;
            KvmPfnCache kvm = setup.IsBug ? new CountUnderMmuLock(kernel, mm) : new KvmPfnCache(kernel, mm, 0);
            return () => ReadTwice(kvm, cpu);
        });
    }

    private static async Proc ReadTwice(KvmPfnCache kvm, Cpu cpu)
    {
        await kvm.ReadThroughCache(cpu);
        await kvm.ReadThroughCache(cpu);
    }

    /// <summary>mmu_notifier_retry_cache() before 58cd407ca4c6.</summary>
    private sealed class CountUnderMmuLock(KernelModel kernel, Mm mm) : KvmPfnCache(kernel, mm, 0)
    {
        /// <inheritdoc/>
        protected override async Proc<bool> MmuNotifierRetryCache(Cpu cpu, ulong seq)
            => await cpu.Load(InvalidateInProgress, MemoryOrder.Acquire, StepWeight.Key) != 0
                || await cpu.Load(InvalidateSeq, weight: StepWeight.Key) != seq;
    }
}
