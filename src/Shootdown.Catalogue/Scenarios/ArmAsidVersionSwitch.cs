using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B24: a CPU goes on with an ASID that the process no longer has.</summary>
public sealed class ArmAsidVersionSwitch : Scenario
{
    /// <inheritdoc/>
    public override string Id => "arm-asid-version-switch";

    /// <inheritdoc/>
    public override string Number => "B24";

    /// <inheritdoc/>
    public override string Title => "a CPU goes on with an ASID that the process has lost";

    /// <inheritdoc/>
    public override int Year => 2007;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["8678c1f04277"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["arm", "asid", "lazy", "broadcast", "other-architecture"];

    /// <inheritdoc/>
    public override string Property => "P-ret";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "the process's thread runs on CPU1, then CPU0, then CPU1; CPU2 switches to a third process"),
        new("pages", 1, 1, 2, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        ARMv6 tags TLB entries with an ASID. The kernel gives ASIDs out one after the other, with a version in
        the upper bits of mm->context.id; when they are used up a new version begins, everything is flushed,
        and each process gets a new ASID when it is switched to next.

        A CPU that runs a kernel thread keeps the page tables and the ASID of the process before. When that
        process comes back, switch_mm() finds "same process as before, and this CPU is in its mask" and does
        nothing. But in between the version may have changed, and the process may have run on another CPU and
        got a new ASID there. The hardware of this CPU still runs under the old one, fills its TLB under it,
        and invalidations, which name the new ASID, do not touch those entries.

        The fix takes all other CPUs out of the process's mask when it gets a new ASID, so that switch_mm()
        loads the context again on them.

        A process with a second thread that runs on CPU1 all the time is not covered, as the commit itself
        says: nobody tells that CPU to load the new ASID. Today's allocator lets those that run keep their ASID
        (arm64-ttu-vs-asid-read uses it).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: runs a thread of mm under ASID 3 of version 1, then a kernel thread; the ASID stays loaded.",
        "CPU0: switches to another process: ASIDs are used up: version 2, flush of everything, ASID 1.",
        "CPU0: the thread of mm runs here: mm gets ASID 2 of version 2.",
        "CPU1: the thread comes back: same mm, bit in the mask: nothing is loaded; the hardware stays at ASID 3.",
        "CPU1: madvise: clears the entry of A, invalidates (2, A), returns.",
        "CPU1: loads A through (3, A).",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 8678c1f04277, \"[ARM] Fix ASID version switch\"",
        "arch/arm/mm/context.c: __new_context; include/asm-arm/mmu_context.h: switch_mm, check_context (2.6.21)",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        bool isBug = setup.IsBug;
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with { Tables = cpus, Asids = cpus + 2 };
        var parts = new KernelParts
        {
            TlbFlush = kernel => new Arm64TlbFlush(kernel),
            SwitchMm = kernel => new ArmContext(kernel, takesOthersOut: !isBug),
        };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;

        // The last ASID but the one that CPU1 has loaded is in use: the next one that is asked for begins version 2.
        ((ArmContext)kernel.SwitchMm).BuildContext(mm, options.Asids - 1);
        Word thread = stage.Machine.NewWord("thread.cpu");
        Mm other = kernel.NewMm("other", pages, mmapWriters: false);
        stage.AddKernelThread(0, "other, then user", () => RunBoth(kernel, stage.Cpu(0), mm, other, thread));
        kernel.BuildRunning(stage.Cpu(1), mm, options.Asids - 1);
        Promise promise = stage.Promise(1, pages, PromiseKind.Removed, "madvise()");
        stage.Machine.AddTask(
            stage.Cpu(1), "kthread, then user", () => ComeBack(kernel, stage.Cpu(1), mm, promise, thread));
        if (cpus > 2)
        {
            Mm third = kernel.NewMm("third", pages, mmapWriters: false);
            stage.AddKernelThread(2, "third", () => SwitchTo(kernel, stage.Cpu(2), third));
        }

        return stage.ToModel(setup, new PRet(), new PLife());
    }

    /// <summary>Another process runs on CPU0, then the thread, then the other process again.</summary>
    private static async Proc RunBoth(KernelModel kernel, Cpu cpu, Mm mm, Mm other, Word thread)
    {
        await kernel.SwitchMm.SwitchTo(cpu, other);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await kernel.SwitchMm.SwitchTo(cpu, other);
        await cpu.Store(thread, 1, weight: StepWeight.Key);
    }

    private static async Proc ComeBack(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, Word thread)
    {
        await cpu.WaitUntil(thread, Condition.Equal, 1);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        await Stage.LoadPages(kernel, cpu, mm, promise.PageCount);
    }

    private static async Proc SwitchTo(KernelModel kernel, Cpu cpu, Mm mm) => await kernel.SwitchMm.SwitchTo(cpu, mm);

    /// <summary>The context switch of 2007 (arch/arm/mm/context.c, include/asm-arm/mmu_context.h).</summary>
    private sealed class ArmContext : SwitchMm
    {
        private const ulong Version = 1000;
        private readonly bool _takesOthersOut;
        private readonly Spinlock _lock;
        private readonly Word _last;

        public ArmContext(KernelModel kernel, bool takesOthersOut)
            : base(kernel)
        {
            _takesOthersOut = takesOthersOut;
            _lock = Machine.NewSpinLock("cpu_asid_lock");
            _last = Machine.NewWord("cpu_last_asid");
        }

        public void BuildContext(Mm mm, int asid)
        {
            Machine.SetInitial(_last.Address, Version + (ulong)asid);
            Machine.SetInitial(mm.ContextId.Address, Version + (ulong)asid);
        }

        /// <summary>switch_mm() with check_context().</summary>
        public override async Proc SwitchMmIrqsOff(Cpu cpu, Mm? next)
        {
            Word loaded = Kernel.TlbStates[cpu.Index].LoadedMm;
            bool isSame = await cpu.Load(loaded) == next!.LoadedValue;
            bool wasInMask = (await cpu.FetchOr(next.CpuMask, CpuSet.Of(cpu), StepWeight.Key)).Contains(cpu);
            if (isSame && wasInMask)
            {
                return;
            }

            ulong id = await cpu.Load(next.ContextId);
            if (id / Version != await cpu.Load(_last) / Version)
            {
                id = await NewContext(cpu, next);
            }

            await cpu.LoadRoot(next.Space, (int)(id % Version), true, "cpu_switch_mm");
            await cpu.Store(loaded, next.LoadedValue);
        }

        /// <summary>__new_context().</summary>
        private async Proc<ulong> NewContext(Cpu cpu, Mm mm)
        {
            await cpu.SpinLock(_lock);
            ulong id = await cpu.Load(_last) + 1;
            if (id % Version == (ulong)Machine.Options.Asids)
            {
                id = (((id / Version) + 1) * Version) + 1;
                await cpu.Store(_last, id, weight: StepWeight.Key);
                await cpu.LoadRoot(null, 0, true, "cpu_set_reserved_asid");
                await cpu.TlbiAll();
            }
            else
            {
                await cpu.Store(_last, id);
            }

            await cpu.SpinUnlock(_lock);
            if (_takesOthersOut)
            {
                await cpu.Store(mm.CpuMask, CpuSet.Of(cpu), weight: StepWeight.Key);
            }

            await cpu.Store(mm.ContextId, id, weight: StepWeight.Key);
            return id;
        }
    }
}
