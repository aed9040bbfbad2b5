namespace Shootdown.Kernel;

/// <summary>What is wrong with a ring of flushes; one for every question of S002-08.</summary>
public enum RingMistake
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>(a) A CPU that is further behind than the ring is long reads slots that were used again, and believes them.</summary>
    LagUnchecked,

    /// <summary>(b) The generation is visible before the slot, and readers do not look whether the slot is that generation's.</summary>
    GenerationFirst,

    /// <summary>(c) Producers publish in any order, and readers do not look whether the slot is that generation's.</summary>
    ProducersUnordered,

    /// <summary>(d) A slot is not looked at again behind its contents: it may have been overwritten in between.</summary>
    TornSlot,

    /// <summary>(e) A switch reads the ring first and notes the generation that it reads afterwards.</summary>
    RingBeforeGeneration,

    /// <summary>(f) Lazy CPUs are not interrupted if tables are freed: they will read the ring when they come back.</summary>
    LazyNotInterrupted,

    /// <summary>(f) A switch keeps the ASID and replays the ring behind CR3, also if tables were freed.</summary>
    TablesReplayedLate,

    /// <summary>(g) Ranges are put together until the ceiling is reached; what is beyond it is dropped.</summary>
    CoalescedPastCeiling,

    /// <summary>(g) A producer widens the newest slot instead of taking a generation.</summary>
    CoalescedIntoNewest,
}

/// <summary>
/// A ring of the address space's last flushes: {generation, range, stride, freed tables}. Whoever is behind reads what it has missed
/// and flushes that, however much it is behind, as long as the ring still has it.
/// </summary>
/// <param name="mistake">What is wrong with it.</param>
/// <param name="slots">Slots of the ring.</param>
/// <param name="publishesFirst">
/// True if the generation is visible before the slot, and readers do look: then who is too early flushes everything.
/// </param>
public class FlushRing(RingMistake mistake, int slots, bool publishesFirst = false) : FlushDesign
{
    /// <summary>The ring as it should be, with four slots.</summary>
    public FlushRing()
        : this(RingMistake.None, 4)
    {
    }

    /// <inheritdoc/>
    public override string Id => "flush-ring";

    /// <inheritdoc/>
    public override string Title => "a ring of the last flushes, read by whoever is behind";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override string Source => "seed 002: Andy Lutomirski's idea in the discussion; worked out here (S002-08)";

    /// <inheritdoc/>
    public override bool IsSound => mistake == RingMistake.None;

    /// <inheritdoc/>
    public override string Story =>
        "A flush is appended under a lock: slot first, then the generation of the address space. A handler, a switch and the end of "
        + "lazy mode read the generation, then every slot between their own and it; a slot carries its generation, is read before "
        + "and behind its contents, and anything unexpected means a full flush. A switch replays the ring behind CR3 with interrupts "
        + "off, but flushes everything if page tables were freed, because the walker does not wait. Lazy CPUs are interrupted then. "
        + "More pages than the ceiling mean a full flush.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with
        {
            TlbFlush = kernel => new RingFlush(kernel, mistake, slots, publishesFirst),
            SwitchMm = kernel => new RingSwitch(kernel, mistake),
        };
    }
}
