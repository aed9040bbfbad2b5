using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>munmap of several areas on one CPU, with a page walker at each of its two TLBs (mm/memory.c, mm/mmap.c of 5.15).</summary>
public sealed class GatherFlagsModel : MachineHandle
{
    private readonly KernelModel _kernel;
    private readonly GatherFlagsCase _case;
    private readonly FlaggedGather _gather;
    private readonly Mm _mm;
    private readonly Word _calls;

    private GatherFlagsModel(KernelModel kernel, GatherFlagsCase run, int pages)
        : base(kernel.Machine)
    {
        _kernel = kernel;
        _case = run;
        _gather = (FlaggedGather)kernel.MmuGather;
        _mm = kernel.NewMm("mm", pages, mmapWriters: false);
        _calls = Machine.NewLocalWord(Machine.Cpus[0], "free_pgd_range_calls");
    }

    /// <summary>A run of an item.</summary>
    public static SeedRun Run(string name, GatherFlagsCase run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return SeedRun.OfModel(name, run.Key, () => Build(run));
    }

    /// <summary>
    /// Builds the machine: the unmapping; a walker that runs ahead on the data side; fetches from executable areas at any time on the
    /// other; and accesses behind it.
    /// </summary>
    public static CheckModel Build(GatherFlagsCase run, TlbKind tlb = TlbKind.Lagging, MemoryModelKind model = MemoryModelKind.Sc)
    {
        ArgumentNullException.ThrowIfNull(run);
        string[] judged = run.Judges == PairRule.None ? ["P-life"] : ["P-life", "assert"];
        return new CheckModel(Make(run, tlb, model, true).Machine, [new PLife(), new Assertions()], judged);
    }

    /// <summary>What one unmapping costs: counted in its only run.</summary>
    public static GatherCost CostOf(GatherFlagsCase run)
    {
        GatherFlagsModel model = Make(run, TlbKind.Lagging, MemoryModelKind.Sc, false);
        model.Machine.Seal();
        var state = new MachineState(model.Machine);
        StepRunner.RunPrologues(state);
        for (Agent task = model.Machine.Agents[0]; state.AlternativesOf(task) > 0;)
        {
            StepRunner.Step(state, task.Index, 0);
        }

        return new GatherCost(
            (int)state.Read(model._calls.Address),
            (int)state.Read(model._gather.CacheFlushes.Address),
            (int)state.Read(model._gather.TlbFlushes.Address));
    }

    private static GatherFlagsModel Make(GatherFlagsCase run, TlbKind tlb, MemoryModelKind memory, bool walkers)
    {
        ArgumentNullException.ThrowIfNull(run);
        int tables = 1 + ((run.Vmas[^1].End - 1) / run.PagesOfTable);
        int entries = Math.Max(run.PagesOfTable, tables);
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = 2,
            Levels = 2,
            EntriesPerTable = entries,
            Tables = tables + 1,
            Frames = entries * entries,
            FrameColours = entries * entries,
            WalkCaches = run.WalkCaches,
            Tlb = tlb,
            Model = memory,
        });
        var kernel = new KernelModel(machine, new KernelOptions { Thp = true }, new KernelParts { MmuGather = made => new FlaggedGather(made, run) });
        var model = new GatherFlagsModel(kernel, run, entries * tables);
        foreach (VmaKind vma in run.Vmas)
        {
            model.Map(vma);
        }

        machine.AddTask(machine.Cpus[0], "munmap", () => model.DoMunmap(machine.Cpus[0], walkers));
        for (int side = 0; side < 2; side++)
        {
            Cpu cpu = machine.Cpus[side];
            kernel.BuildRunning(cpu, model._mm);
            if (walkers)
            {
                machine.AddAgent(
                    side == 0 ? "page walker" : "fetch", AgentKind.Hardware, cpu, true, () => cpu.Index == 0 ? RunAhead(cpu) : model.Fetch(cpu));
            }
        }

        return model;
    }

    private void Map(VmaKind vma)
    {
        if (vma.Huge)
        {
            _kernel.BuildHugeMapping(_mm, vma.First, Pte.Leaf(vma.First, write: true, dirty: true));
            return;
        }

        for (int page = vma.First; page < vma.End; page++)
        {
            _kernel.BuildMapping(_mm, page, Pte.Leaf(page, write: true, dirty: true));
        }
    }

    [KernelName]
    private static async Proc RunAhead(Cpu cpu) => await cpu.SpeculativeWalks();

    /// <summary>Only executable areas are fetched from, so the instruction side never caches anything of others.</summary>
    [KernelName]
    private async Proc Fetch(Cpu cpu)
    {
        for (int vma = 0; vma < _case.Vmas.Length; vma++)
        {
            if (_case.Vmas[vma].Exec)
            {
                await cpu.AccessTouch(_case.Vmas[vma].First);
            }
        }
    }

    /// <summary>mm/mmap.c: <c>unmap_region</c>; then an access to each page on both sides.</summary>
    [KernelName("unmap_region")]
    private async Proc DoMunmap(Cpu cpu, bool looks)
    {
        TlbGather tlb = await _gather.TlbGatherMmu(cpu, _mm);
        for (int vma = 0; vma < _case.Vmas.Length; vma++)
        {
            await _gather.Start(tlb, vma);
            await _kernel.Zap.UnmapPageRange(tlb, _case.Vmas[vma].First, _case.Vmas[vma].End, null);
            await _gather.End(tlb, vma);
        }

        await FreePgtables(tlb);
        await _gather.TlbFinishMmu(tlb);
        for (int vma = 0; looks && vma < _case.Vmas.Length; vma++)
        {
            await cpu.AccessTouch(_case.Vmas[vma].First);
            if (_case.Vmas[vma].Exec)
            {
                await Machine.Cpus[1].AccessTouch(_case.Vmas[vma].First);
            }
        }
    }

    /// <summary>
    /// mm/memory.c: <c>free_pgtables</c>, with the inner loop that gathers areas which are no more than a table apart. With the patch, the
    /// area that ends is the one that the loop has moved on to.
    /// </summary>
    private async Proc FreePgtables(TlbGather tlb)
    {
        int vma = 0;
        while (vma < _case.Vmas.Length)
        {
            int first = vma;
            if (_case.Brackets is VmaBrackets.Patch or VmaBrackets.PatchWithoutGathering)
            {
                await _gather.Start(tlb, vma);
            }

            while (Gathers(vma))
            {
                vma++;
            }

            if (_case.Brackets == VmaBrackets.Union)
            {
                await _gather.UniteFlags(tlb, first, vma);
            }

            await FreePgdRange(tlb, _case.Vmas[first].First, _case.Vmas[vma].End, vma + 1 < _case.Vmas.Length ? _case.Vmas[vma + 1].First : int.MaxValue);
            if (_case.Brackets is VmaBrackets.Patch or VmaBrackets.PatchWithoutGathering)
            {
                await _gather.End(tlb, vma);
            }
            else if (_case.Brackets == VmaBrackets.Union)
            {
                await _gather.TlbFlushMmuTlbonly(tlb);
            }

            vma++;
        }
    }

    private bool Gathers(int vma) => vma + 1 < _case.Vmas.Length
        && _case.Brackets != VmaBrackets.PatchWithoutGathering
        && !_case.Vmas[vma].Huge
        && !_case.Vmas[vma + 1].Huge
        && _case.Vmas[vma + 1].First <= _case.Vmas[vma].End + Machine.Paging.SpanOf(1);

    /// <summary>mm/memory.c: <c>free_pgd_range</c>: the tables that lie below the ceiling.</summary>
    private async Proc FreePgdRange(TlbGather tlb, int first, int end, int ceiling)
    {
        await tlb.Cpu.AddReturn(_calls, 1);
        int span = Machine.Paging.SpanOf(1);
        for (int page = first / span * span; page < end && page + span <= Math.Max(ceiling, 0); page += span)
        {
            await _kernel.PageTableFree.FreePteRange(tlb, page, 1);
        }
    }
}

/// <summary>What an unmapping costs.</summary>
/// <param name="FreePgdRange">Calls of free_pgd_range.</param>
/// <param name="CacheFlushes">Calls of flush_cache_range.</param>
/// <param name="TlbFlushes">Calls of tlb_flush.</param>
public readonly record struct GatherCost(int FreePgdRange, int CacheFlushes, int TlbFlushes);
