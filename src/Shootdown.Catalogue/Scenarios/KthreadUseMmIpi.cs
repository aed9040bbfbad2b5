using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B22: a flush arrives between "active_mm = mm" and the switch, and flushes the wrong address space.</summary>
public sealed class KthreadUseMmIpi : Scenario
{
    /// <inheritdoc/>
    public override string Id => "kthread-use-mm-ipi";

    /// <inheritdoc/>
    public override string Number => "B22";

    /// <inheritdoc/>
    public override string Title => "a flush hits kthread_use_mm() and flushes the wrong process";

    /// <inheritdoc/>
    public override int Year => 2020;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["38cf307c1f20"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["context-switch", "asid", "lazy", "other-architecture"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 calls madvise, CPU1 is a kernel thread that takes over the process, CPU2 a thread"),
        new("pages", 1, 1, 2, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A kernel thread runs on whatever page tables are loaded. To access the memory of a process it calls
        kthread_use_mm(), which sets current->active_mm and then switches the hardware over.

        On Alpha, IA64 and Xtensa the handler of a flush asks the task what is loaded. If active_mm is the
        address space of the request, it flushes what the hardware runs now. If not, it takes away the address
        space's ASID on this CPU, so that the next switch gets a fresh one. An interrupt between the two steps
        of kthread_use_mm() finds active_mm already new and the hardware still old: it flushes the entries of
        the old address space. Those of the new one are kept under its ASID. The switch that follows finds the
        ASID valid, flushes nothing, and the thread uses a stale entry.

        The fix switches interrupts off across both steps. x86 was not affected: its handler asks loaded_mm,
        which changes together with the hardware.

        Here the kernel runs with a context switch and a flush handler like those of these architectures.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: a kernel thread on the page tables of another process; A -> F is cached under mm's ASID.",
        "CPU1: kthread_use_mm(): active_mm = mm.",
        "CPU0: madvise: clears the entry of A; IPI to CPU1.",
        "CPU1: handler: active_mm is mm: flushes what is loaded, which is the other process.",
        "CPU0: frees F.",
        "CPU1: switch_mm(): mm's ASID is valid: no flush; loads A and reaches F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 38cf307c1f20, \"mm: fix kthread_use_mm() vs TLB invalidate\"",
        "kernel/kthread.c: kthread_use_mm; arch/alpha/kernel/smp.c, arch/xtensa/mm/tlb.c: handlers that test active_mm",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        bool isBug = setup.IsBug;
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with { Tables = 2, Asids = 2 };
        var parts = new KernelParts
        {
            TlbFlush = kernel => new ActiveMmFlush(kernel),
            SwitchMm = kernel => isBug ? new UseMmBefore2020(kernel) : new ContextSwitch(kernel),
        };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        Mm other = kernel.NewMm("other", pages, mmapWriters: false);
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise", () => Discard(kernel, stage.Cpu(0), mm, promise));
        kernel.BuildSlot(stage.Cpu(1), mm, 0);
        for (int page = 0; page < pages; page++)
        {
            stage.Machine.Paging.BuildCached(stage.Cpu(1), mm.Space, 0, page);
        }

        kernel.BuildRunning(stage.Cpu(1), other, 1);
        stage.Machine.AddTask(stage.Cpu(1), "kthread", () => UseAndLoad(kernel, stage.Cpu(1), mm, pages));
        if (cpus > 2)
        {
            stage.AddThread(2, "user", () => Stage.LoadPages(kernel, stage.Cpu(2), mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    private static async Proc UseAndLoad(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.SwitchMm.KthreadUseMm(cpu, mm);
        await Stage.LoadPages(kernel, cpu, mm, pages);
    }

    /// <summary>Flushes go to all CPUs, and the handler asks the task what is loaded.</summary>
    private sealed class ActiveMmFlush(KernelModel kernel) : TlbFlush(kernel)
    {
        /// <inheritdoc/>
        public override async Proc FlushTlbMmRange(
            Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
        {
            CpuSet all = Machine.AllCpus;
            await cpu.PreemptDisable();
            await OnEachCpuMask(cpu, all, FlushTlbInfo.Of(mm, range, strideLevel, freedTables, 1));
            await cpu.PreemptEnable();
        }

        /// <inheritdoc/>
        public override async Proc FlushTlbFunc(Cpu cpu, FlushTlbInfo info, bool local)
        {
            Mm mm = Kernel.Mms[info.MmIndex!.Value];
            CpuTlbState state = Kernel.TlbStates[cpu.Index];
            StepWeight weight = local ? StepWeight.Detail : StepWeight.Key;
            if (await cpu.Load(state.ActiveMm, weight: weight) == mm.LoadedValue)
            {
                await cpu.FlushTlbLocal();
                return;
            }

            for (int asid = 0; asid < state.SlotCtxId.Length; asid++)
            {
                if (await cpu.Load(state.SlotCtxId[asid]) == mm.CtxId)
                {
                    await cpu.Store(state.SlotCtxId[asid], 0);
                }
            }
        }
    }

    /// <summary>An ASID that was not taken away is valid: there are no generations.</summary>
    private class ContextSwitch(KernelModel kernel) : SwitchMm(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc<ulong> BecomeTarget(Cpu cpu, Mm next) => 1;
    }

    /// <summary>kthread_use_mm() before 38cf307c1f20.</summary>
    private sealed class UseMmBefore2020(KernelModel kernel) : ContextSwitch(kernel)
    {
        /// <inheritdoc/>
        public override async Proc KthreadUseMm(Cpu cpu, Mm mm)
        {
            await cpu.Store(Kernel.TlbStates[cpu.Index].ActiveMm, mm.LoadedValue, weight: StepWeight.Key);
            await SwitchTo(cpu, mm);
        }
    }
}
