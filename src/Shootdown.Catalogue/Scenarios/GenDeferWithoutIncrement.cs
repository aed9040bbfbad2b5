using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B16: a gather that takes one generation for several changes; a CPU that switches in between is lost.</summary>
public sealed class GenDeferWithoutIncrement : Scenario
{
    /// <inheritdoc/>
    public override string Id => "gen-defer-without-increment";

    /// <inheritdoc/>
    public override string Number => "B16";

    /// <inheritdoc/>
    public override string Title => "one generation for all changes of a gather is not enough";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override string Seed => "002";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["generation", "asid", "deferred-flush", "mprotect", "design"];

    /// <inheritdoc/>
    public override string Property => "P-ret";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 switches to the process and away, CPU1 calls mprotect, CPU2 reads (or is a thread)"),
        new("pages", 2, 2, 3, "pages that mprotect makes read-only; CPU0 stores to the last one"),
        new("asids", 2, 1, 3, "PCIDs of a CPU; with 1 every switch flushes, and the hole is still there"),
        new("design", 0, 0, 1, "what relies on the generation: 0 the final flush, 1 a reader (needs cpus=3)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A patch series of early 2021 wanted to know more exactly which entries wait for a deferred flush. Each
        time a gather changes an entry it notes a generation of the address space: a new one if the address
        space has moved on since the gather's last change, otherwise the one that it has already. The flush at
        the end is aimed at the noted generation and takes no new one.

        Days later the author found the hole. Between two changes under the same generation another CPU may
        switch to the process. It sees that generation, flushes, and counts as caught up. Then it fills its TLB
        from an entry that is changed next, without a new generation. If it switches away again, its PCID keeps
        that entry; it is not in mm_cpumask when the flush comes; and when it comes back its generation equals
        that of the address space, so nothing is flushed.

        The corrected rule takes a new generation for every change that is deferred. The flush then skips
        generations and becomes a full one, which above 33 pages it is anyway.

        If the final flush takes a generation of its own, that run disappears. What stays wrong is a reader
        that trusts the noted generation: here (design=1) one that finds an entry write-protected already and
        only asks all CPUs to reach the generation noted with it. They have, and answer at once. The reader is
        made up to show the rest of the hole; the mail names pte_accessible() and ptep_clear_flush().

        Retained PCIDs make the hole larger but are not needed: a CPU that stays on the process is interrupted,
        finds that it has the requested generation already, and flushes nothing (asids=1).

        The bug here is the design of the series, the fix the corrected rule.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: mprotect: the entry of A becomes read-only; generation 1 is not the gather's: takes generation 2.",
        "CPU0: switches to the process: sees 2, flushes its PCID, notes 2.",
        "CPU0: stores to B: its TLB holds B, writable.",
        "CPU1: the entry of B becomes read-only; generation 2 is the gather's: no increment.",
        "CPU0: switches to another process; the PCID's entries stay; leaves mm_cpumask.",
        "CPU1: flushes for generation 2: CPU0 is not in the mask; mprotect returns.",
        "CPU0: switches back: it noted 2, the address space has 2: no flush; the store to B succeeds.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "seed 002: Nadav Amit, RFC 15/20 \"mm: detect deferred TLB flushes in vma granularity\" and his answer to it",
        "arch/x86/mm/tlb.c: switch_mm_irqs_off, choose_new_asid, flush_tlb_func",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => Design(setup, everyChange: false);

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        bool hasReader = setup["design"] == 1;
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 1) with { Tables = 2, Asids = setup["asids"] };
        KernelParts parts = Design(setup, everyChange: !setup.IsBug);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        Mm other = kernel.NewMm("other", pages, mmapWriters: false);
        kernel.BuildRunning(stage.Cpu(0), other, setup["asids"] - 1);
        stage.Machine.AddTask(stage.Cpu(0), "user", () => ComeAndGo(kernel, stage.Cpu(0), mm, other, hasReader, pages - 1));
        Promise promise = stage.Promise(1, pages, PromiseKind.WriteProtected, "mprotect()");
        stage.AddThread(1, "mprotect", () => kernel.Mprotect.MprotectReadOnly(stage.Cpu(1), mm, promise));
        if (cpus > 2 && hasReader)
        {
            Promise stable = new(
                stage.Machine, stage.Cpu(2), mm.Space, pages - 1, 1, PromiseKind.WriteProtected, "write_protect_page()");
            stage.AddKernelThread(2, "ksmd", () => WriteProtectPage(kernel, stage.Cpu(2), mm, stable));
        }
        else if (cpus > 2)
        {
            stage.AddThread(2, "user", () => StoreOnce(kernel, stage.Cpu(2), mm, pages - 1));
        }

        return stage.ToModel(new PRet());
    }

    private static KernelParts Design(ScenarioSetup setup, bool everyChange)
    {
        bool hasReader = setup["design"] == 1;
        return new KernelParts
        {
            TlbFlush = kernel => new DeferringFlush(kernel, everyChange),
            MmuGather = kernel => new DeferringGather(kernel, flushTakesGeneration: hasReader),
        };
    }

    /// <summary>The process runs, is switched out and in again (unless a reader is what matters), and runs.</summary>
    private static async Proc ComeAndGo(KernelModel kernel, Cpu cpu, Mm mm, Mm other, bool stays, int page)
    {
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        if (!stays)
        {
            await kernel.UserAccess.UserStore(cpu, mm, page, 1);
            await kernel.SwitchMm.SwitchTo(cpu, other);
            await kernel.SwitchMm.SwitchTo(cpu, mm);
        }

        await kernel.UserAccess.UserStore(cpu, mm, page, 1);
    }

    private static async Proc StoreOnce(KernelModel kernel, Cpu cpu, Mm mm, int page)
        => await kernel.UserAccess.UserStore(cpu, mm, page, 1);

    /// <summary>An entry that allows no stores needs no more than the flush that was noted with it.</summary>
    private static async Proc WriteProtectPage(KernelModel kernel, Cpu cpu, Mm mm, Promise stable)
    {
        await cpu.BeginPromise(stable);
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, stable.FirstPage);
        Pte entry = await cpu.EntryRead(table, stable.FirstPage);
        bool isProtected = entry.Present && !entry.Write;
        if (isProtected)
        {
            await ((DeferringFlush)kernel.TlbFlush).FlushUpToDeferred(cpu, mm, stable.FirstPage);
        }

        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        if (isProtected)
        {
            await cpu.ReturnPromise(stable);
        }
    }

    /// <summary>Generations as in the series: noted with a change, and what a flush is aimed at.</summary>
    private sealed class DeferringFlush : TlbFlush
    {
        private readonly bool _everyChange;
        private readonly ImmutableArray<Word> _deferGen;
        private readonly Word _noted;

        public DeferringFlush(KernelModel kernel, bool everyChange)
            : base(kernel)
        {
            _everyChange = everyChange;
            _deferGen = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb.defer_gen"))];
            _noted = Machine.NewWord("mm.defer_tlb_gen");
        }

        /// <summary>read_defer_tlb_flush_gen() of the series.</summary>
        public async Proc ReadDeferTlbFlushGen(Cpu cpu, Mm mm)
        {
            ulong mine = await cpu.Load(_deferGen[cpu.Index]);
            ulong current = await cpu.Load(mm.TlbGen, weight: StepWeight.Key);
            await cpu.Assert(current >= mine, "mm_gen >= tlb->defer_gen");
            if (_everyChange || current != mine)
            {
                mine = await base.IncMmTlbGen(cpu, mm);
                await cpu.Store(_deferGen[cpu.Index], mine);
            }

            await cpu.Store(_noted, mine);
        }

        public async Proc ForgetDeferred(Cpu cpu) => await cpu.Store(_deferGen[cpu.Index], 0);

        public async Proc FlushUpToDeferred(Cpu cpu, Mm mm, int page)
        {
            await cpu.Store(_deferGen[cpu.Index], await cpu.Load(_noted));
            await FlushTlbPage(cpu, mm, page);
            await ForgetDeferred(cpu);
        }

        /// <inheritdoc/>
        public override async Proc<ulong> IncMmTlbGen(Cpu cpu, Mm mm)
        {
            ulong mine = await cpu.Load(_deferGen[cpu.Index]);
            return mine != 0 ? mine : await base.IncMmTlbGen(cpu, mm);
        }
    }

    private sealed class DeferringGather(KernelModel kernel, bool flushTakesGeneration) : MmuGather(kernel)
    {
        private readonly bool _flushTakesGeneration = flushTakesGeneration;

        private DeferringFlush Deferring => (DeferringFlush)Kernel.TlbFlush;

        /// <inheritdoc/>
        public override async Proc TlbRemoveTlbEntry(TlbGather tlb, int page, int level)
        {
            await Deferring.ReadDeferTlbFlushGen(tlb.Cpu, tlb.Mm);
            await base.TlbRemoveTlbEntry(tlb, page, level);
        }

        /// <inheritdoc/>
        protected override async Proc TlbFlush(TlbGather tlb, ulong flags)
        {
            if (_flushTakesGeneration)
            {
                await Deferring.ForgetDeferred(tlb.Cpu);
            }

            await base.TlbFlush(tlb, flags);
            await Deferring.ForgetDeferred(tlb.Cpu);
        }
    }
}
