using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>KSM replaces a page that was written, and the soft-dirty mark does not go with it.</summary>
public sealed class KsmDropsSoftDirty : Scenario
{
    /// <inheritdoc/>
    public override string Id => "ksm-drops-soft-dirty";

    /// <inheritdoc/>
    public override string Title => "KSM replaces a page that was written since the last checkpoint, and pagemap says it was not";

    /// <inheritdoc/>
    public override int Year => 2013;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["ksm", "soft-dirty"];

    /// <inheritdoc/>
    public override string Property => "P-soft";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 stores to the page, CPU1 runs ksmd, the other stores too"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        The soft-dirty mark of an entry says that the process has written the page since somebody wrote 4 to
        /proc/PID/clear_refs: an incremental checkpoint saves what is marked. replace_page() of KSM makes the entry of the
        page that it puts in place from the area's rights alone, so the mark is gone. The contents are what the process
        wrote, and not what the last checkpoint saved: the next one leaves them out, and a process that is restored from
        the two has the old ones.

        It is the neighbour of ksm-drops-uffd-wp, in the same line of code, and as old as soft-dirty itself. No race is
        needed. No report of it is known here.

        The fix copies the mark from the entry that is replaced.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: stores to A: its entry is soft-dirty.",
        "CPU1: ksmd: write_protect_page() leaves the mark; the contents of F and K are equal.",
        "CPU1: replace_page(): A maps K, without the mark.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "mm/ksm.c: write_protect_page, replace_page (6.1)",
        "Documentation/admin-guide/mm/soft-dirty.rst",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { Ksm = kernel => new KsmDropsMarks(kernel) };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { AnonFolios = true, SoftDirty = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        Stage stage = KsmStage.WithStablePage(setup, PartsOf(setup), BugOptions);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddKernelThread(1, "ksmd", () => KsmStage.Merge(kernel, stage.Cpu(1), mm));
        for (int index = 0; index < setup["cpus"]; index += index == 0 ? 2 : 1)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.StorePages(kernel, cpu, mm, 1));
        }

        return stage.ToModel(setup, new PSoftDirty(), new PLife());
    }
}
