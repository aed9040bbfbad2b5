using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B23: broadcast flushes while not all CPUs use the global ASID yet.</summary>
public sealed class InvlpgbTransitionVsReclaim : Scenario
{
    /// <inheritdoc/>
    public override string Id => "invlpgb-transition-vs-reclaim";

    /// <inheritdoc/>
    public override string Number => "B23";

    /// <inheritdoc/>
    public override string Title => "a broadcast flush misses a CPU that still uses an ASID of its own";

    /// <inheritdoc/>
    public override int Year => 2025;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["asid", "broadcast", "reclaim", "batch"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 reclaims, CPU1 is a thread, CPU2 is another one"),
        new("pages", 1, 1, 2, "pages that are reclaimed"),
        new("start", 0, 0, 1, "0: the global ASID was just given; 1: CPU1's madvise gives it (needs pages=2, cpus=3)"),
        new("mistake", 0, 0, 2, "0: the batch, 1: every flush forgets the transition; 2: the batch does not wait"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        On CPUs with INVLPGB a process that runs on many of them gets a global ASID, the same everywhere, and its
        flushes are broadcast instead of interrupting. It gets that ASID while it runs: CPUs go over to it at their
        next switch. Until all have, translations are cached under the ASIDs that each CPU chose for itself, which
        a broadcast for the global ASID does not touch. So during this transition a flush must do both.

        Batched unmapping decides when an entry is cleared whom it will flush. If it sees the global ASID,
        broadcasts, and notes no CPUs, then a CPU that has not gone over keeps its translation, and the frame is
        freed under it.

        The other direction is harmless: a batch that noted CPUs before the process got the global ASID has
        cleared its entries before anybody could cache them under that ASID.

        The same mistake in every flush, and a batch that does not wait for its broadcasts, are the other two
        mistakes. The catalogue's step list was reconstructed from change notes of the series; so is this.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "The process was given global ASID g; CPU1 still runs it under its own ASID 0 and has A cached there.",
        "CPU0: reclaim: clears the entry of A; the process has a global ASID: INVLPGB(g); notes no CPU.",
        "CPU0: TLBSYNC; frees the frame.",
        "CPU1: loads A under ASID 0 and reaches the freed frame.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "linux-mm: change notes of the INVLPGB series: \"fix a race between reclaim and ASID transition\" (v5), and on TLBSYNC and the mask (v2)",
        "arch/x86/mm/tlb.c (6.15): broadcast_tlb_flush, finish_asid_transition, arch_tlbbatch_flush",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        bool given = setup["start"] == 0;
        BroadcastMistake mistake = setup.IsBug ? (BroadcastMistake)(setup["mistake"] + 1) : BroadcastMistake.None;
        var design = new BroadcastFlush(mistake);
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with { Tables = 2, Asids = 2 };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, design.Apply(new KernelParts()));
        (KernelModel kernel, Mm mm) = stage;
        if (given)
        {
            ((InvlpgbFlush)kernel.TlbFlush).BuildTransition(mm);
        }

        if (setup["mistake"] == 2)
        {
            // Nobody is interrupted any more, so the wait for the broadcasts is all that there is.
            for (int index = 1; index < cpus; index++)
            {
                ((InvlpgbFlush)kernel.TlbFlush).BuildGlobal(stage.Cpu(index), mm);
            }
        }

        bool batches = setup["mistake"] != 1;
        ulong reclaimed = given ? Stage.MappedFrames(pages) : 1;
        stage.AddKernelThread(0, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), reclaimed, batches));
        if (given)
        {
            AddUser(stage, 1, pages, setup["mistake"] == 2);
        }
        else
        {
            Promise promise = new(stage.Machine, stage.Cpu(1), mm.Space, 1, pages - 1, PromiseKind.Removed, "madvise()");
            stage.AddThread(1, "madvise", () => Discard(kernel, stage.Cpu(1), mm, promise));
        }

        if (cpus > 2)
        {
            AddUser(stage, 2, 1, setup["mistake"] == 2);
        }

        return stage.ToModel(new PLife());
    }

    /// <summary>A thread; if it runs under the global ASID, its CPU was made so.</summary>
    private static void AddUser(Stage stage, int index, int pages, bool isGlobal)
    {
        Cpu cpu = stage.Cpu(index);
        if (isGlobal)
        {
            stage.Machine.AddTask(cpu, "user", () => Stage.LoadPages(stage.Kernel, cpu, stage.Mm, pages));
        }
        else
        {
            stage.AddThread(index, "user", () => Stage.LoadPages(stage.Kernel, cpu, stage.Mm, pages));
        }
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
}
