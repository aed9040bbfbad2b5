using Shootdown.Check;
using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>Seed 002: what can go wrong with a ring of flushes, one mistake at a time.</summary>
public sealed class FlushRingMistakes : Scenario
{
    /// <inheritdoc/>
    public override string Id => "flush-ring-mistakes";

    /// <inheritdoc/>
    public override string Title => "a ring of flushes loses one";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override string Seed => "002";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["generation", "asid", "lazy-tlb", "design", "deferred-flush"];

    /// <inheritdoc/>
    public override string Property => "P-ret";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 2, "one that flushes, one that catches up (mistake 3: a second one that flushes)"),
        new("pages", 2, 2, 4, "half of them are removed by one call, half by another"),
        new("mistake", 1, 1, 7, "1 lag, 2 generation first, 3 order of producers, 4 torn slot, 5 ring first, 6 ceiling, 7 widened slot"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        An idea from the discussion of the deferred-flush series: keep the last flushes of an address space in a
        ring. Who is behind reads what it has missed and flushes just that, where today's kernel flushes
        everything as soon as more than one request was missed.

        A ring is easily got wrong. A CPU that is further behind than the ring is long must not believe slots that
        were used again (1). Who sees a generation must find the slot filled (2), also if two CPUs append and the
        second is faster (3): either appending is locked and the slot comes before the generation, or a slot
        carries its generation and is compared. The slot must be compared again behind its contents, because it
        may have been overwritten in between (4). A switch must read the generation first and the ring after it (5).
        If more pages come together than the ceiling allows, everything must be flushed (6). And a producer must not
        widen the newest slot: somebody may have read it already, which is the mistake of B16 again (7).

        Two more need page tables: see flush-ring-tables.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1 (ring of one slot): switches to another process; its PCID keeps translations of A and B.",
        "CPU0: madvise on A: generation 2, the slot says A; madvise on B: generation 3, the slot says B.",
        "CPU1: switches back: its generation is 1; reads the slot for 2 and for 3: flushes B twice; notes 3.",
        "CPU1: loads A through its TLB.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "seed 002: Nadav Amit quotes Andy Lutomirski's idea of a ring per address space",
        "arch/x86/mm/tlb.c: flush_tlb_func, switch_mm_irqs_off: what the ring would replace",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        RingMistake mistake = setup["mistake"] switch
        {
            6 => RingMistake.CoalescedPastCeiling,
            7 => RingMistake.CoalescedIntoNewest,
            int number => (RingMistake)number,
        };
        var design = new FlushRing(setup.IsBug ? mistake : RingMistake.None, RingStage.SlotsOf(mistake));
        return RingStage.Build(mistake, design, setup["pages"], setup.Tlb).ToModel(new PRet());
    }
}

/// <summary>Seed 002: a ring of flushes and page tables that are freed.</summary>
public sealed class FlushRingTables : Scenario
{
    /// <inheritdoc/>
    public override string Id => "flush-ring-tables";

    /// <inheritdoc/>
    public override string Title => "a ring of flushes is read too late for a page walker";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override string Seed => "002";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["generation", "asid", "lazy-tlb", "page-tables", "design"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 2, "CPU0 is elsewhere and comes back, CPU1 calls munmap"),
        new("pages", 1, 1, 2, "pages of the table that is freed"),
        new("mistake", 0, 0, 1, "0: lazy CPUs are not interrupted; 1: the ring is replayed behind CR3"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        In a ring of flushes (flush-ring-mistakes) every entry says whether page tables were freed, because no
        CPU may put such a flush off. A lazy CPU does not use user memory and could read the ring when it
        comes back; but its page walker still runs, and reads a table that is used for something else by then (0).

        A switch that keeps the PCID and replays the ring behind the write of CR3 is too late for the same reason:
        interrupts are off and no user code runs in between, but the walker starts from what it has cached as soon
        as the root is loaded (1). So a switch flushes everything with CR3 if a slot says that tables were
        freed.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: goes over to a kernel thread; the root of the process stays loaded; a walk cache holds PMD -> T.",
        "CPU1: munmap: unhooks T, appends a flush, interrupts nobody, frees T.",
        "CPU0: the walker runs ahead and reads T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources => ["seed 002; catalogue B19 for the same rule without a ring"];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        RingMistake mistake = setup["mistake"] == 0 ? RingMistake.LazyNotInterrupted : RingMistake.TablesReplayedLate;
        var design = new FlushRing(setup.IsBug ? mistake : RingMistake.None, RingStage.SlotsOf(mistake));
        return RingStage.Build(mistake, design, setup["pages"], setup.Tlb).ToModel(new PLife());
    }
}
