using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B26: reclaim reads the ASID before it changes the entry, and invalidates one that is out of date.</summary>
public sealed class Arm64TtuVsAsidRead : Scenario
{
    /// <inheritdoc/>
    public override string Id => "arm64-ttu-vs-asid-read";

    /// <inheritdoc/>
    public override string Number => "B26";

    /// <inheritdoc/>
    public override string Title => "the ASID is read before the entry is changed, and has rolled over";

    /// <inheritdoc/>
    public override int Year => 2019;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["arm64", "asid", "reclaim", "broadcast", "other-architecture"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 4, "CPU0 reclaims, CPU1 switches to the process, the others to another process"),
        new("pages", 1, 1, 2, "pages that are reclaimed"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        arm64 invalidates by ASID and address in all TLBs at once, so it needs no IPIs and no mask of CPUs. But
        it must name the right ASID. There are few; when they are used up, a new generation begins, and a
        process that was not running gets another one when it runs next.

        So the ASID has to be read after the change of the entry is visible to everybody. Then there are two
        cases: either the process had its new ASID already, and that is the one that is read and invalidated;
        or it gets one later, and whoever walks under the new ASID finds the new entry.

        If the ASID is read first, a rollover fits in between: the process gets a new ASID on another CPU, and
        that CPU fills its TLB from the old entry. Reclaim then invalidates under the old ASID, where nothing
        is, and frees the page.

        On the hardware the early read is a reordering: a load that passes the store of the entry, if nothing
        orders the two. Here it is put into the code by hand, and the model is sequentially consistent.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: reclaim: reads mm's ASID: 1.",
        "CPU2: switches to another process: no ASID is free: new generation; it gets ASID 1.",
        "CPU1: switches to mm: gets ASID 2; loads A: its TLB holds (2, A) -> F.",
        "CPU0: clears the entry of A; invalidates (1, A); frees F.",
        "CPU1: loads A and reaches F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "arch/arm64/include/asm/mmu.h: the comment on ASID()",
        "arch/arm64/mm/context.c: check_and_switch_context, new_context, flush_context",
        "Catalin Marinas, kernel-tla: asidalloc.tla, with try_to_unmap as an asynchronous process",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        bool isBug = setup.IsBug;
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with { Tables = 2, Asids = 3 };
        var parts = new KernelParts
        {
            TlbFlush = kernel => new Arm64TlbFlush(kernel),
            SwitchMm = kernel => new Arm64Context(kernel),
            PteOps = kernel => isBug ? new EarlyAsidRead(kernel) : new PteOps(kernel),
        };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: false, parts);
        (KernelModel kernel, Mm mm) = stage;
        Mm other = kernel.NewMm("other", pages, mmapWriters: false);
        var context = (Arm64Context)kernel.SwitchMm;
        context.BuildContext(mm, 1);
        context.BuildUsedAsid(2);
        stage.AddKernelThread(0, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), Stage.MappedFrames(pages), false));
        stage.AddKernelThread(1, "user", () => SwitchAndLoad(kernel, stage.Cpu(1), mm, pages));
        for (int index = 2; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddKernelThread(index, "switch", () => SwitchTo(kernel, cpu, other));
        }

        return stage.ToModel(setup, new PLife(), new PWrite());
    }

    private static async Proc SwitchAndLoad(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await Stage.LoadPages(kernel, cpu, mm, pages);
    }

    private static async Proc SwitchTo(KernelModel kernel, Cpu cpu, Mm mm) => await kernel.SwitchMm.SwitchTo(cpu, mm);

    /// <summary>ptep_clear_flush() whose read of the ASID has passed the store of the entry.</summary>
    private sealed class EarlyAsidRead(KernelModel kernel) : PteOps(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int page)
        {
            int asid = await ((Arm64TlbFlush)Kernel.TlbFlush).Asid(cpu, mm);
            Pte old = await PtepGetAndClear(cpu, table, page);
            if (await PteAccessible(cpu, mm, old))
            {
                await cpu.FullBarrier("dsb(ishst)");
                await cpu.TlbiPage(asid, page, lastLevel: true);
            }

            return old;
        }
    }
}
