using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>B48b: what comes of B48: two tasks have one gather, and a frame is freed before it is flushed.</summary>
public sealed class GatherSharedByTwo : Scenario
{
    /// <inheritdoc/>
    public override string Id => "gather-shared-by-two";

    /// <inheritdoc/>
    public override string Number => "B48b";

    /// <inheritdoc/>
    public override string Title => "a task slept with the CPU's gather in its hand, and the next one took it over";

    /// <inheritdoc/>
    public override int Year => 2010;

    /// <inheritdoc/>
    public override string Seed => "004";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["mmu_gather", "mmu-notifier", "sleep", "seed"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 1, 3, "CPUs between which the tasks move"),
        new("tasks", 2, 2, 3, "processes that unmap their memory, one task each"),
        new("pages", 1, 1, 2, "pages of each"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        The same code as in sleepable-gather-order, on a kernel that lets a task sleep with preemption off (it
        prints "scheduling while atomic" and goes on).

        While the first task sleeps with the gather of its CPU, a second process unmaps on that CPU,
        gets the same gather, and starts it afresh with its own address space. From here on both fill and empty
        one structure. Whoever flushes first flushes one address space and frees what is queued, the
        other one's frames with it: frames whose entries are cleared but which the TLB of the other CPU still
        maps. Its owner then finds nothing to flush, and returns to a program that reaches the freed frame.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "A on CPU0: munmap: takes CPU0's gather; range_start sleeps.",
        "B on CPU0: munmap: takes CPU0's gather too, sets its mm, sleeps.",
        "A goes on on CPU1 with CPU0's gather: clears its entry, queues its frame.",
        "B: flushes its own address space and frees all that is queued, A's frame included.",
        "A: nothing is to be flushed; returns; its program reads the frame through the TLB of CPU1.",
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
        var stage = Stage2010.Make(design, setup["cpus"], setup["tasks"], setup["pages"], true, setup.Tlb, setup.Model);
        for (int i = 0; i < setup["tasks"]; i++)
        {
            stage.AddProcess($"{(char)('A' + i)}: munmap", Call2010.Munmap);
        }

        return setup.IsBug ? stage.ToModel(new PLife()) : stage.ToModel(new PLife(), new PAtomic());
    }
}
