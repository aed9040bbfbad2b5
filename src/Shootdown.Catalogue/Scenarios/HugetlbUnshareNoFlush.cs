using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B35: a process gives up a page table that it shares, and does not flush.</summary>
public sealed class HugetlbUnshareNoFlush : Scenario
{
    /// <inheritdoc/>
    public override string Id => "hugetlb-unshare-no-flush";

    /// <inheritdoc/>
    public override string Number => "B35";

    /// <inheritdoc/>
    public override string Title => "a shared PMD table is dropped without a flush, and then freed by the other process";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["a4a118f2eead", "CVE-2021-4002"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["hugetlb", "page-tables", "gather"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 4, "CPU0 unmaps in mm, CPU1 unmaps in other, the rest run threads of mm"),
        new("pages", 1, 1, 2, "huge pages that the shared table maps"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Processes that map the same file of hugetlbfs at the same place share the page table of it: there is one PMD
        table, with a count of its other users. munmap() of one of them clears its PUD entry, lowers the count and
        leaves the entries of the table alone. It also recorded nothing for a flush.

        Its other threads still have translations of the pages, and the walk cache still has the table. As soon
        as i_mmap_rwsem is dropped, the last user may unmap: it frees the pages and the table, and flushes, but only
        CPUs that run its own address space. A thread of the first process then reads or writes a page that belongs
        to somebody else.

        The fix records the whole range of the PUD entry, and flushes before i_mmap_rwsem is released. It is shown as it was made in
        2021; what it leaves open is hugetlb-unshare-lazy.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "mm and other share the PMD table T. CPU2 (mm) has cached A -> F, through T.",
        "CPU0 (mm): munmap: huge_pmd_unshare(): PUD(A) := none, T.count--; no flush; i_mmap_rwsem is dropped.",
        "CPU1 (other): munmap: the last user: clears the entry, flushes other, frees F and T.",
        "CPU2: accesses A: F through the TLB, or walks T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit a4a118f2eead, \"hugetlbfs: flush TLBs correctly after huge_pmd_unshare\"",
        "mm/hugetlb.c: __unmap_hugepage_range, huge_pmd_unshare",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { Hugetlb = kernel => new UnshareWithoutFlush(kernel) };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { Files = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        var options = new MachineOptions
        {
            Cpus = setup["cpus"],
            Levels = 2,
            EntriesPerTable = 2,
            Tables = 3,
            Frames = 4,
            FrameColours = 4,
            Model = setup.Model,
            Tlb = setup.Tlb,
            SharedTables = true,
        };
        KernelParts parts = setup.IsBug ? PartsOf(setup) : HugetlbUnshareLazy.FlushOfLeaves;
        var kernel = new KernelModel(new MachineModel(options), BugOptions, parts);
        Mm mm = kernel.NewMm("mm", pages);
        Mm other = kernel.NewMm("other", pages);
        FileMapping file = kernel.NewFile("hugetlbfs", pages);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: true, dirty: true));
        }

        kernel.Hugetlb.BuildShared(mm, other, 0);
        var stage = new Stage(kernel, mm);
        Promise first = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        var second = new Promise(kernel.Machine, stage.Cpu(1), other.Space, 0, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => Unmap(kernel, stage.Cpu(0), mm, file, first));
        kernel.BuildRunning(stage.Cpu(1), other);
        kernel.Machine.AddTask(stage.Cpu(1), "munmap, other", () => Unmap(kernel, stage.Cpu(1), other, file, second));
        for (int index = 2; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => LoadOnce(cpu, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc Unmap(KernelModel kernel, Cpu cpu, Mm mm, FileMapping file, Promise promise)
        => await kernel.Hugetlb.DoMunmap(cpu, mm, file, promise.FirstPage, promise.PageCount, promise);

    /// <summary>Loads, and ends with SIGBUS where nothing is mapped any more.</summary>
    private static async Proc LoadOnce(Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await cpu.AccessTouch(page);
        }
    }

    /// <summary>hugetlb before a4a118f2eead.</summary>
    private sealed class UnshareWithoutFlush(KernelModel kernel) : Hugetlb(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc TlbFlushPmdRange(TlbGather tlb, int page)
        {
        }
    }
}
