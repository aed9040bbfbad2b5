using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>B48: a notifier sleeps while its caller holds the CPU's gather.</summary>
public sealed class SleepableGatherOrder : Scenario
{
    /// <inheritdoc/>
    public override string Id => "sleepable-gather-order";

    /// <inheritdoc/>
    public override string Number => "B48";

    /// <inheritdoc/>
    public override string Title => "munmap takes the CPU's gather, then calls a notifier that sleeps";

    /// <inheritdoc/>
    public override int Year => 2010;

    /// <inheritdoc/>
    public override string Seed => "004";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["mmu_gather", "mmu-notifier", "sleep", "seed"];

    /// <inheritdoc/>
    public override string Property => "P-atomic";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 1, 3, "CPUs between which the tasks move"),
        new("tasks", 2, 1, 3, "processes that unmap their memory, one task each"),
        new("pages", 1, 1, 3, "pages of each"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        In 2010 there is one mmu_gather for each CPU. tlb_gather_mmu() takes it with get_cpu_var(), that is with
        preemption off, and tlb_finish_mmu() gives it back: between the two a task may not sleep, or it could go
        on on another CPU with the first one's gather in its hand.

        unmap_vmas() calls mmu_notifier_invalidate_range_start() in between. The users of notifiers that came
        next (XPMEM, GRU) wanted to sleep in their callbacks: they wait for another machine. The list of
        notifiers under SRCU instead of RCU is not enough for that; the gather must start behind range_start,
        which is what the mail proposes.

        The bug here is the order of 2.6.33 with a callback that sleeps. What comes of it when the kernel goes
        on nevertheless is the scenario gather-shared-by-two.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "A on CPU0: munmap: tlb_gather_mmu: preemption off, CPU0's gather is A's.",
        "A: mmu_notifier_invalidate_range_start: the callback sleeps: schedule() in atomic context.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "seed 004: Andrea Arcangeli, Robin Holt, linux-mm, January 2010",
        "Linux 2.6.33: mm/memory.c: unmap_vmas; include/asm-generic/tlb.h: tlb_gather_mmu, tlb_finish_mmu",
    ];


    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        var design = new Design2010 { NotifierFirst = !setup.IsBug };
        var stage = Stage2010.Make(design, setup["cpus"], setup["tasks"], setup["pages"], false, setup.Tlb, setup.Model);
        for (int i = 0; i < setup["tasks"]; i++)
        {
            stage.AddProcess($"{(char)('A' + i)}: munmap", Call2010.Munmap);
        }

        return stage.ToModel(new PAtomic(), new PLife());
    }
}
