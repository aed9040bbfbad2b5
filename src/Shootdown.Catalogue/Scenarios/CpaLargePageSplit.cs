using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S12: a huge page of the kernel's mapping is split and changed without a flush in between.</summary>
public sealed class CpaLargePageSplit : Scenario
{
    /// <inheritdoc/>
    public override string Id => "cpa-large-page-split";

    /// <inheritdoc/>
    public override string Number => "S12";

    /// <inheritdoc/>
    public override string Title => "a huge page is split and changed without a flush in between";

    /// <inheritdoc/>
    public override int Year => 2008;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["ad5ca55f6bdb"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["huge-pages", "kernel-mapping"];

    /// <inheritdoc/>
    public override string Property => "P-mix";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 1, 3, "each CPU makes another small page read-only"),
        new("pages", 2, 2, 4, "small pages of the huge page"),
        new("part", 0, 0, 1, "what the bug leaves out: 0 the flush after the split, 1 the lock (needs cpus=2)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        The kernel maps memory with huge pages. To make one small page of it read-only, change_page_attr()
        splits the huge page: a table of small entries that say the same takes its place, and then one of them
        is changed. A flush came at the end.

        Between the change and the flush a CPU may have the huge translation (writable) and load the small one
        (read-only) beside it. Intel's documents say that the behaviour is undefined if two translations of an
        address differ: which one is used may change from access to access, and some processors raise a
        machine check.

        The fix flushes all CPUs after the split, while huge and small say the same, and before the change. And
        it takes a lock around both (cpa_lock): otherwise another CPU could find the split page and change
        another part of it before that flush.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: has the huge translation, writable.",
        "CPU0: set_memory_ro: splits the huge page: a table of small, writable entries.",
        "CPU0: makes the entry of A read-only.",
        "CPU1: may load the small entry of A, read-only, beside the huge one.",
        "CPU0: flushes all CPUs, too late.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit ad5ca55f6bdb, \"x86, cpa: srlz cpa(), global flush tlb after splitting big page and before doing cpa\"",
        "arch/x86/mm/pat/set_memory.c: __change_page_attr, __split_large_page, cpa_lock",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = cpus,
            Levels = 2,
            EntriesPerTable = pages,
            Tables = 1 + cpus,
            Frames = pages,
            Model = setup.Model,
            Tlb = setup.Tlb,
        });
        var kernel = new KernelModel(machine, parts: Parts(setup));
        Mm map = kernel.NewMm("direct map", pages, mmapWriters: false);
        machine.Paging.BuildHugeMapping(map.Space, 0, Pte.Leaf(0, write: true, dirty: true));
        for (int index = 0; index < cpus; index++)
        {
            Cpu cpu = machine.Cpus[index];
            int page = index % pages;
            kernel.BuildRunning(cpu, map);
            machine.AddTask(cpu, "set_memory_ro", () => Protect(kernel, cpu, map, page));
        }

        return new CheckModel(machine, [new PMix(), new Assertions()], ["P-mix"]);
    }

    private static KernelParts Parts(ScenarioSetup setup) => (setup.IsBug, setup["part"]) switch
    {
        (false, _) => new KernelParts { ChangePageAttr = kernel => new ChangePageAttr(kernel) },
        (true, 0) => new KernelParts { ChangePageAttr = kernel => new NoFlushAfterSplit(kernel) },
        (true, _) => new KernelParts { ChangePageAttr = kernel => new NoLock(kernel) },
    };

    private static async Proc Protect(KernelModel kernel, Cpu cpu, Mm map, int page)
        => await kernel.ChangePageAttr!.SetMemoryRo(cpu, map, page);

    /// <summary>__change_page_attr() before ad5ca55f6bdb.</summary>
    private sealed class NoFlushAfterSplit(KernelModel kernel) : ChangePageAttr(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc FlushAfterSplit(Cpu cpu)
        {
        }
    }

    /// <summary>The flush alone, without cpa_lock; the split itself is done under pgd_lock.</summary>
    private sealed class NoLock(KernelModel kernel) : ChangePageAttr(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc LockCpa(Cpu cpu)
        {
        }

        /// <inheritdoc/>
        protected override async Proc UnlockCpa(Cpu cpu)
        {
        }

        /// <inheritdoc/>
        protected override async Proc<Pte> SplitLargePage(Cpu cpu, Mm kernelMap, PageTable above, int page, Pte huge)
        {
            await base.LockCpa(cpu);
            Pte now = await cpu.EntryRead(above, page, "lookup_address");
            now = now.Huge ? await base.SplitLargePage(cpu, kernelMap, above, page, huge) : now;
            await base.UnlockCpa(cpu);
            return now;
        }
    }
}
