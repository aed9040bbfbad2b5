using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B47: KVM on arm64 reads the sequence after it has looked the area up, and maps a block that is no longer there.</summary>
public sealed class KvmSeqSnapshotOrder : Scenario
{
    /// <inheritdoc/>
    public override string Id => "kvm-seq-snapshot-order";

    /// <inheritdoc/>
    public override string Number => "B47";

    /// <inheritdoc/>
    public override string Title => "KVM reads the retry sequence after it looked the area up";

    /// <inheritdoc/>
    public override int Year => 2023;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["13ec9308a857", "8607daa2145f"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "kvm", "munmap", "arm64"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 unmaps the second page, CPU1 runs a vCPU, CPU2 is a user thread"),
        new("pages", 2, 2, 3, "pages of the guest; a block has two"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        KVM maps guest memory in the largest blocks that the host's memory allows. On arm64 the fault handler looks
        the area up under mmap_lock to learn the size, drops mmap_lock, looks the page up, takes mmu_lock, and
        checks by mmu_invalidate_seq whether an invalidation ended since the sequence was read.

        The sequence was read after mmap_lock had been dropped. Between the two munmap() can change the areas and
        invalidate, from start to end. The fault then reads the new sequence, finds nothing to complain about, and
        maps a block whose size is that of the old area: parts of it lead to pages that the process has no more.

        The fix reads the sequence before it drops mmap_lock: what changes the areas must take it for writing, and
        its invalidation comes behind that. Where the snapshot stands says what it protects.

        Here a block has two pages, and the second one is unmapped.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: the guest faults on A; mmap_lock; the area covers A and B, so the block has two pages; mmap_unlock.",
        "CPU0: munmap(B): the area shrinks; range_start, B is cleared and flushed, range_end (the sequence is 1 now); the frame of B is freed.",
        "CPU1: reads the sequence (1), looks A up, takes mmu_lock: the sequence is still 1; maps A and B as one block.",
        "CPU1: the guest reads B: the frame was freed.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 13ec9308a857, \"KVM: arm64: Retry fault if vma_lookup() results become invalid\"",
        "arch/arm64/kvm/mmu.c: user_mem_abort; virt/kvm/kvm_main.c: kvm_mmu_invalidate_begin, kvm_mmu_invalidate_end",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        Stage stage = DriverStage.WithPages(setup, framesPerPage: 2, mmapWriters: true);
        (KernelModel kernel, Mm mm) = stage;
        KvmArm64 kvm = setup.IsBug ? new SeqAfterMmapLock(kernel, mm) : new KvmArm64(kernel, mm);
        var promise = new Promise(stage.Machine, stage.Cpu(0), mm.Space, 1, 1, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(0), mm, promise));
        stage.AddThread(1, "vcpu", () => LoadByGuest(kvm, stage.Cpu(1), pages));
        DriverStage.AddUsers(stage, setup);
        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc LoadByGuest(KvmArm64 kvm, Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await kvm.GuestLoad(cpu, page);
        }
    }

    /// <summary>user_mem_abort() before 13ec9308a857.</summary>
    private sealed class SeqAfterMmapLock(KernelModel kernel, Mm mm) : KvmArm64(kernel, mm)
    {
        /// <inheritdoc/>
        protected override bool ReadsSeqUnderMmapLock => false;
    }
}
