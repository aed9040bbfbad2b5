using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Seed 001: why KSM clears the entry before it counts references.</summary>
public sealed class KsmVsGupFast : Scenario
{
    /// <inheritdoc/>
    public override string Id => "ksm-vs-gup-fast";

    /// <inheritdoc/>
    public override string Title => "KSM counts references before it clears the entry";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override string Seed => "001";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["ksm", "gup", "pin", "dma"];

    /// <inheritdoc/>
    public override string Property => "P-pin";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 runs ksmd, CPU1 pins for a disk, the other stores"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        KSM replaces a page by another one with the same contents. From the comparison on nobody may write to it.
        write_protect_page() clears the entry, flushes it, and then compares the references with the mappings: one
        more, and somebody may write to the page without an entry, as a disk does for a read with O_DIRECT. Then the
        entry is put back.

        The old comment said: the flush comes before the check, so that no O_DIRECT can start after or during it.
        That was true while the flush was an IPI and waited for lockless walkers. Today GUP-fast can raise the count
        at any moment, also behind the check. What protects is that it looks at the entry again afterwards: it
        finds it cleared, and drops the reference.

        Here the bug counts first and clears then: a pin that is taken in between finds the entry unchanged. The
        page is replaced, and the disk writes to a page that the process no longer has.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: write_protect_page(): the references of F are explained.",
        "CPU1: pin_user_pages_fast(): pins F; the PTE is unchanged; the disk is told to write to F.",
        "CPU0: clears and flushes the PTE, sets it read-only, compares F with K: equal.",
        "CPU0: replace_page(): the PTE maps K. The disk writes to F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources => ["seed 001, the comment in write_protect_page()", "mm/ksm.c: write_protect_page, replace_page"];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => CountsFirst;

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { AnonFolios = true, Pins = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return KsmStage.Make(setup, PartsOf(setup), KsmPeer.Pins, setup["cpus"], new PPin());
    }

    /// <summary>References and pins are looked at before the entry is cleared.</summary>
    internal static KernelParts CountsFirst => new() { Ksm = kernel => new KsmCountsFirst(kernel) };

    private sealed class KsmCountsFirst(KernelModel kernel) : Ksm(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc<Pte> WriteProtectPte(Cpu cpu, Mm mm, PageTable table, int address, Pte entry)
            => await base.ReferencesAreExplained(cpu, entry.Frame) && await base.TryShare(cpu, entry.Frame)
                ? await base.WriteProtectPte(cpu, mm, table, address, entry)
                : Pte.None;

        /// <inheritdoc/>
        protected override async Proc<bool> ReferencesAreExplained(Cpu cpu, int frame) => true;

        /// <inheritdoc/>
        protected override async Proc<bool> TryShare(Cpu cpu, int frame) => true;
    }
}
