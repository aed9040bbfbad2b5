using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// B15: becoming a flush target and starting to fill must be ordered against changing an entry and reading the
/// targets.
/// </summary>
public sealed class SwitchMmFlushBarrier : Scenario
{
    /// <inheritdoc/>
    public override string Id => "switch-mm-flush-barrier";

    /// <inheritdoc/>
    public override string Number => "B15";

    /// <inheritdoc/>
    public override string Title => "a missing barrier lets a flusher overlook a CPU switching in";

    /// <inheritdoc/>
    public override int Year => 2016;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["71b3c126e611", "CVE-2016-2069"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["context-switch", "memory-model"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override MemoryModelKind Model => MemoryModelKind.X86Tso;

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 switches in, CPU1 changes entries and flushes, CPU2 is a thread of the process"),
        new("pages", 1, 1, 2, "huge pages that are split and freed"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A CPU that switches to an address space does two things: it sets its bit in mm_cpumask, so that others
        send it flushes, and it loads the page tables, so that its walker may fill the TLB. A CPU that changes
        an entry also does two things: it writes the entry, and it reads mm_cpumask to see whom to interrupt.
        Whoever comes second must see what the first one did: either the flusher sees the bit, or the walker
        sees the new entry. That is store buffering, the one reordering that x86 allows: each side stores and
        then loads, and without a full barrier on both sides both may read the old values. Then no IPI is
        sent, the frame is freed, and the switching CPU uses it through a stale entry.

        On the switching side x86 was safe by luck: setting the bit is a locked instruction, and writing CR3
        is serialising. The fix only wrote that down. On the flushing side the barrier was really missing when
        the flusher was running some other address space (current->active_mm != mm): flush_tlb_mm_range() and
        flush_tlb_page() went straight to the mask. Entries that are cleared with an atomic exchange bring
        their own barrier; those that are written with a plain store, as pmdp_invalidate() did when it split a
        huge page, do not.

        The fix added smp_mb() there. Since the generations of 2017 the locked increment of
        mm->context.tlb_gen is that barrier. The bug here is today's kernel with the lock prefix of that
        increment taken away, which leaves what 2016 had: nothing between the plain store of the entry and the
        read of the mask. The flusher is reclaim, which splits a huge page (one entry here) of a process that
        it does not run, and frees it.

        Under sequential consistency the bug cannot show; under x86-tso it does.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: reclaim: the entry of A is cleared with a plain store, which waits in the store buffer.",
        "CPU1: reads mm_cpumask: CPU0 is not in it; no IPI; F is freed.",
        "CPU0: switch_mm: sets its bit in mm_cpumask and loads CR3.",
        "CPU0: loads A; the walk reads the old entry from memory and reaches F.",
        "CPU1: the store buffer drains: too late.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 71b3c126e611, \"x86/mm: Add barriers and document switch_mm()-vs-flush synchronization\"",
        "arch/x86/mm/tlb.c: flush_tlb_mm_range, switch_mm_irqs_off; arch/x86/include/asm/tlbflush.h: inc_mm_tlb_gen",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { TlbFlush = kernel => new FlushBefore2016(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];

        // Two address spaces, each with one table.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with { Tables = 2 };
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        Mm other = kernel.NewMm("other", pages, mmapWriters: false);
        kernel.BuildRunning(stage.Cpu(0), other);
        stage.Machine.AddTask(stage.Cpu(0), "switch", () => SwitchAndLoad(kernel, stage.Cpu(0), mm, pages));
        stage.AddKernelThread(1, "reclaim", () => SplitAndFree(kernel, stage.Cpu(1), mm, pages));
        if (cpus > 2)
        {
            stage.AddThread(2, "user", () => Stage.LoadPages(kernel, stage.Cpu(2), mm, pages));
        }

        return stage.ToModel(setup, new PLife());
    }

    private static async Proc SwitchAndLoad(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await Stage.LoadPages(kernel, cpu, mm, pages);
    }

    /// <summary>
    /// split_huge_page_to_list(), as far as the TLB is concerned: the entry is made not present with a plain store
    /// (before 4.17), the address space is flushed under the lock, and the memory is given back.
    /// </summary>
    private static async Proc SplitAndFree(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
            Pte old = await cpu.EntryRead(table, page, "pmdp_get");
            await cpu.EntryStore(table, page, Pte.None, "pmdp_invalidate");
            await kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
            await kernel.PageWalk.PteUnmapUnlock(cpu, table);
            await cpu.FreeFrame(old.Frame);
        }
    }

    /// <summary>
    /// The flush before 71b3c126e611: nothing orders the caller's stores before the read of the mask.
    /// </summary>
    private sealed class FlushBefore2016(KernelModel kernel) : TlbFlush(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<ulong> IncMmTlbGen(Cpu cpu, Mm mm)
        {
            ulong next = await cpu.Load(mm.TlbGen) + 1;
            await cpu.Store(mm.TlbGen, next);
            return next;
        }
    }
}
