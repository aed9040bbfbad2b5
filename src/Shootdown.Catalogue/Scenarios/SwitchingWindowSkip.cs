using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B20: the filter of flush targets overlooks a CPU that has loaded CR3 but has not said so yet.</summary>
public sealed class SwitchingWindowSkip : Scenario
{
    /// <inheritdoc/>
    public override string Id => "switching-window-skip";

    /// <inheritdoc/>
    public override string Number => "B20";

    /// <inheritdoc/>
    public override string Title => "a CPU in the middle of a switch is skipped and stays stale";

    /// <inheritdoc/>
    public override int Year => 2025;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["fea4e317f9e7", "CVE-2025-37964"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["context-switch", "generation", "asid", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 switches back in, CPU1 calls madvise, CPU2 is a thread of the process"),
        new("pages", 1, 1, 2, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        x86 keeps the TLB entries of a few address spaces for each CPU, in slots with a PCID. Switching back
        to one of them costs no flush if the slot's generation equals that of the address space. During the
        switch cpu_tlbstate.loaded_mm is a marker, LOADED_MM_SWITCHING, because CR3 and the bookkeeping
        disagree for a moment.

        A series of early 2025 made flushes cheaper: bits in mm_cpumask may be out of date, so a flusher looks
        at the target's loaded_mm before it sends an IPI, and leaves out CPUs that run something else
        (should_flush_tlb). A CPU in the middle of a switch runs "something else" by that test: loaded_mm is
        the marker. But it may be past the point where it compared generations, and may have loaded CR3
        without a flush. The flusher raises the generation too late for that CPU to see it, sends no IPI, and
        frees the page. When the switch ends, interrupts go on again, no flush is pending, and the CPU uses
        what is in the slot.

        The fix counts the marker as "must flush": the IPI then waits until interrupts are on again, and by
        that time loaded_mm is the new address space. A read barrier makes sure that the laziness that is
        tested is no older than loaded_mm.

        The bug here is should_flush_tlb() without the test for the marker.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: switch_mm: loaded_mm = LOADED_MM_SWITCHING; sets its bit in mm_cpumask; its slot is current: no flush.",
        "CPU0: loads CR3 and keeps the slot's entries, A -> F among them.",
        "CPU1: madvise: clears the entry of A, raises the generation; CPU0 is in the mask, but not on mm.",
        "CPU1: frees F.",
        "CPU0: loaded_mm = mm; loads A and reaches F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit fea4e317f9e7, \"x86/mm: Eliminate window where TLB flushes may be inadvertently skipped\"",
        "arch/x86/mm/tlb.c: should_flush_tlb, switch_mm_irqs_off, choose_new_asid",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { TlbFlush = kernel => new FilterOfEarly2025(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];

        // Two address spaces, each with one table and one PCID.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with { Tables = 2, Asids = 2 };
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        Mm other = kernel.NewMm("other", pages, mmapWriters: false);
        kernel.BuildSlot(stage.Cpu(0), mm, 0);
        kernel.BuildRunning(stage.Cpu(0), other, 1);
        stage.Machine.AddTask(stage.Cpu(0), "switch", () => SwitchAndLoad(kernel, stage.Cpu(0), mm, pages));
        Promise promise = stage.Promise(1, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(1, "madvise", () => Discard(kernel, stage.Cpu(1), mm, promise));
        if (cpus > 2)
        {
            stage.AddThread(2, "user", () => Stage.LoadPages(kernel, stage.Cpu(2), mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc SwitchAndLoad(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await Stage.LoadPages(kernel, cpu, mm, pages);
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    /// <summary>should_flush_tlb() before fea4e317f9e7: a CPU that is switching runs something else.</summary>
    private sealed class FilterOfEarly2025(KernelModel kernel) : TlbFlush(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<bool> ShouldFlushTlb(Cpu cpu, Cpu target, FlushTlbInfo info)
        {
            CpuTlbState state = Kernel.TlbStates[target.Index];
            StepWeight weight = target == cpu ? StepWeight.Detail : StepWeight.Key;
            ulong loaded = await cpu.Load(state.LoadedMm, weight: weight);
            return await cpu.Load(state.IsLazy, weight: weight) == 0
                && (info.MmIndex is not { } index || loaded == Kernel.Mms[index].LoadedValue);
        }
    }
}
