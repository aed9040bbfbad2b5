using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>KSM replaces a page that userfaultfd has write-protected, and the mark does not go with it.</summary>
public sealed class KsmDropsUffdWp : Scenario
{
    /// <inheritdoc/>
    public override string Id => "ksm-drops-uffd-wp";

    /// <inheritdoc/>
    public override string Title => "KSM replaces a write-protected page, and userfaultfd does not hear of the next store";

    /// <inheritdoc/>
    public override int Year => 2020;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["ksm", "userfaultfd"];

    /// <inheritdoc/>
    public override string Property => "P-uffd";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 write-protects the page, CPU1 runs ksmd, the other stores"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        With userfaultfd a process has its stores to a range reported (UFFDIO_WRITEPROTECT): to take a snapshot, or to
        track what a virtual machine writes. What says so is a bit of the entry, the uffd-wp mark; that the entry is
        read-only says nothing. Who moves a page must move the mark with it: migration, swap and fork do.

        KSM does not. replace_page() makes the entry of the page that it puts in place from the area's rights alone.
        Nothing keeps KSM from such an area: MADV_MERGEABLE does not look whether it is registered, and registering does
        not look whether it is mergeable. After the merge the entry is read-only and has no mark: the next store is a
        plain copy-on-write fault. It gets a page of its own, writable, and nobody is told.

        This is the code of 6.1, and the same lines are there since write protection came with 5.7. The matrix found it
        (ksm-merge against uffd-wp) once P-uffd judged what KSM puts in place; no report of it is known here. No race is
        needed: KSM may come at any time after the protection.

        The fix copies the mark from the entry that is replaced.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: UFFDIO_WRITEPROTECT: the entry of A is read-only and has the mark.",
        "CPU1: ksmd: write_protect_page() leaves the entry as it is; the contents of F and K are equal.",
        "CPU1: replace_page(): A maps K, read-only, without the mark.",
        "A store to A is a copy-on-write fault, and is not reported.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "mm/ksm.c: replace_page, ksm_madvise (6.1)",
        "mm/memory.c: do_wp_page; mm/userfaultfd.c: mwriteprotect_range (6.1)",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { Ksm = kernel => new KsmDropsMarks(kernel) };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { AnonFolios = true, UserfaultWp = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        Stage stage = KsmStage.WithStablePage(setup, PartsOf(setup), BugOptions);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, 1, PromiseKind.WriteProtected, "ioctl(UFFDIO_WRITEPROTECT)");
        stage.AddThread(0, "uffd", () => kernel.Userfaultfd.WriteProtect(stage.Cpu(0), mm, promise));
        stage.AddKernelThread(1, "ksmd", () => KsmStage.Merge(kernel, stage.Cpu(1), mm));
        for (int index = 2; index < setup["cpus"]; index++)
        {
            // Nobody lifts the protection: a store that is reported waits for ever.
            Cpu cpu = stage.Cpu(index);
            kernel.BuildRunning(cpu, mm);
            stage.Machine.AddAgent("user", AgentKind.Task, cpu, true, () => Stage.StorePages(kernel, cpu, mm, 1));
        }

        return stage.ToModel(setup, new PUserfault(), new PLife());
    }
}
