using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S05: MADV_DONTNEED looks while NUMA balancing has taken the huge entry away for a moment.</summary>
public sealed class ThpDontneedVsNumaClear : Scenario
{
    private const ulong OldData = 7;

    /// <inheritdoc/>
    public override string Id => "thp-dontneed-vs-numa-clear";

    /// <inheritdoc/>
    public override string Number => "S05";

    /// <inheritdoc/>
    public override string Title => "MADV_DONTNEED skips a huge page whose entry is being changed";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["ced108037c2a"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["thp", "madvise", "numa"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 calls madvise, CPU1 does NUMA balancing, another one only loads"),
        new("pages", 1, 1, 2, "small pages of the huge page"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        NUMA balancing makes pages inaccessible now and then, to learn from the faults who uses them. For a huge
        page change_huge_pmd() took the entry out (pmdp_huge_get_and_clear), changed it, and put it back, all
        under the lock that protects the entry. mmap_lock is held for reading only.

        So does MADV_DONTNEED. zap_pmd_range() looks at the entry first without the lock: an empty entry maps
        nothing, so there is nothing to do. If it looks in just that moment, it skips the huge page.
        madvise() returns, and the process finds its old data where it must find an empty page. No TLB is
        involved: the page is simply still mapped.

        The fix never lets the entry look empty: pmdp_invalidate() takes the present bit away and leaves the
        rest, so that zap_pmd_range() sees a huge page and waits for the lock.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: NUMA balancing: lock; the huge entry is exchanged for none.",
        "CPU0: madvise(MADV_DONTNEED): reads the entry without the lock: none; skips it; returns.",
        "CPU1: puts the entry back, inaccessible; unlock.",
        "CPU0: loads: the fault makes the page accessible again; the old data is still there.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit ced108037c2a, \"thp: fix MADV_DONTNEED vs. numa balancing race\"",
        "mm/huge_memory.c: change_huge_pmd and the comment in it; mm/memory.c: zap_pmd_range",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { HugeMemory = kernel => new HugeMemoryBefore2017(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, framesPerPage: 2);
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithHugePage(options, pages, Pte.Leaf(0, write: true, dirty: true), parts);
        (KernelModel kernel, Mm mm) = stage;
        for (int page = 0; page < pages; page++)
        {
            stage.Machine.SetInitial(kernel.Folios[page].Frame.Content.Address, OldData);
        }

        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise", () => DiscardAndLook(kernel, stage.Cpu(0), mm, promise));
        stage.AddThread(1, "numa", () => ChangeProtNuma(kernel, stage.Cpu(1), mm));
        if (cpus > 2)
        {
            stage.AddThread(2, "user", () => Stage.LoadPages(kernel, stage.Cpu(2), mm, pages));
        }

        return stage.ToAssertedModel(setup, new PLife(), new PRet());
    }

    private static async Proc DiscardAndLook(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        for (int page = 0; page < promise.PageCount; page++)
        {
            int value = await kernel.UserAccess.UserLoadValue(cpu, mm, page);
            await cpu.Assert(value == 0, "pages are empty after MADV_DONTNEED");
        }
    }

    /// <summary>mm/mempolicy.c: change_prot_numa(), as task_numa_work() calls it.</summary>
    private static async Proc ChangeProtNuma(KernelModel kernel, Cpu cpu, Mm mm)
    {
        TlbGather tlb = await kernel.MmuGather.TlbGatherMmu(cpu, mm);
        PageTable pmd = await kernel.PageWalk.TableAt(cpu, mm, 0, 1);
        await kernel.HugeMemory.ChangeHugePmd(tlb, pmd, 0, ProtectionChange.NumaHint);
        await kernel.MmuGather.TlbFinishMmu(tlb);
    }

    /// <summary>change_huge_pmd() before ced108037c2a: the entry is none for a moment.</summary>
    private sealed class HugeMemoryBefore2017(KernelModel kernel) : HugeMemory(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<Pte> PmdpInvalidateAd(Cpu cpu, PageTable pmd, int page, Pte seen)
            => await cpu.EntryExchange(pmd, page, Pte.None, "pmdp_huge_get_and_clear");
    }
}
