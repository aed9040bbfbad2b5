using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S000-14: the bug that the mail describes, on its own model and beyond.</summary>
public sealed class ParallelDontneed : SeedItem
{
    private static readonly (string Name, (int First, int Count, bool Free)[] Calls)[] Shapes =
    [
        ("overlapping ranges", [(0, 2, false), (1, 1, false)]),
        ("three calls", [(0, 1, false), (0, 1, false), (0, 1, false)]),
        ("MADV_FREE beside it", [(0, 1, false), (0, 1, true)]),
    ];

    /// <summary>Two calls of MADV_FREE, and a store behind the second: before 2017, today, and without any flush.</summary>
    private static readonly (string Name, bool Before, KernelParts? Parts)[] Frees =
    [
        ("two MADV_FREE and a store, before", true, null),
        ("two MADV_FREE and a store, today", false, null),
        (NoFlush, false, new KernelParts { Madvise = kernel => new FreeWithoutFlush(kernel) }),
    ];

    private const string NoFlush = "the same, MADV_FREE without flush";

    /// <inheritdoc/>
    public override string Id => "S000-14";

    /// <inheritdoc/>
    public override string Lines => "67-73";

    /// <inheritdoc/>
    public override string Claim => "two MADV_DONTNEED on one range: the second returns although the first has not flushed yet";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Two threads call madvise(MADV_DONTNEED) on the same page and a third loads it, on the kernel before 99baac21e458, whose
        tlb_finish_mmu() does not look at mm->tlb_flush_pending, and on today's. Then other shapes of the same, each on both kernels:
        a range of two pages against its second one, three calls at a time, MADV_FREE as one of the two (every order is a run of the model).
        At last two MADV_FREE: the second thread stores behind its call, and reclaim gives up what looks clean (P-write). That the model can show a
        lost store is seen with a MADV_FREE that never flushes.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        Two MADV_FREE lose nothing that was promised, on either kernel. The first clears the dirty bit and has not flushed; the second
        finds the entry clean, flushes nothing before 2017, and returns; a store through the old TLB entry then leaves the entry clean, and
        reclaim may give the page up. But the first call has not returned: a store beside it may be given up by that call as well, which could
        come to the entry only after the store. No call promises anything about that store; behind the return of both, it is kept.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("two calls, before", "madv-dontneed-parallel", Variant.Bug),
        SeedRun.OfScenario("two calls, today", "madv-dontneed-parallel", Variant.Fix),
        .. Shapes.SelectMany(shape => new[] { Run(shape.Name, shape.Calls, true), Run(shape.Name, shape.Calls, false) }),
        .. Frees.Select(free => SeedRun.OfModel(free.Name, $"dontneed: {free.Name}", () => FreeTwice(free.Before ? Before() : free.Parts ?? new KernelParts()))),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        SeedRunResult[] before = [.. results.Runs.Where(run => run.Name.EndsWith("before", StringComparison.Ordinal))];
        SeedRunResult[] today = [.. results.Runs.Where(run => run.Name.EndsWith("today", StringComparison.Ordinal))];
        bool found = results.Violated("two calls, before");
        bool seesLoss = results.Violated(NoFlush);
        bool clean = today.All(run => run.Verdict == Verdict.Pass);
        int shapes = before.Count(run => run.Verdict == Verdict.Violation);
        return (found, clean) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds,
                $"P-ret is violated without the count of gathers, in {shapes} of {before.Length} shapes; with it all {today.Length} are clean; "
                    + $"a store behind two MADV_FREE is {(results.Passed(Frees[0].Name) ? "kept on both" : "lost before")}"
                    + (seesLoss ? ", and lost without any flush" : ", but the model shows no loss without any flush either")),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "found before 2017, but today's kernel is not clean either"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "no run shows it"),
        };
    }

    private static SeedRun Run(string name, (int First, int Count, bool Free)[] calls, bool before)
    {
        string full = $"{name}, {(before ? "before" : "today")}";
        return SeedRun.OfModel(full, $"dontneed: {full}", () => Model(calls, before));
    }

    private static CheckModel Model((int First, int Count, bool Free)[] calls, bool before)
    {
        KernelParts parts = before ? Before() : new KernelParts();
        int pages = calls.Max(call => call.First + call.Count);
        var options = new MachineOptions
        {
            Cpus = calls.Length,
            Levels = 1,
            EntriesPerTable = pages,
            Tables = 1,
            Frames = pages * (1 + calls.Length),
            FrameColours = pages,
        };
        bool frees = calls.Any(call => call.Free);
        Stage stage = Stage.WithMappedPages(
            options, pages, mmapWriters: false, dirty: true, parts, new KernelOptions { AnonFolios = frees, Lazyfree = frees });
        for (int i = 0; i < calls.Length; i++)
        {
            Cpu cpu = stage.Cpu(i);
            (int first, int count, bool free) = calls[i];
            Promise? promise = free
                ? null
                : new Promise(stage.Machine, cpu, stage.Mm.Space, first, count, PromiseKind.Removed, "madvise()");
            stage.AddThread(i, "madvise", () => Call(stage.Kernel, cpu, stage.Mm, first, count, promise));
        }

        return stage.ToModel(new PRet());
    }

    private static KernelParts Before()
    {
        Scenario scenario = ScenarioList.Find("madv-dontneed-parallel")!;
        return scenario.BugParts(ScenarioDefaults.SetupOf(scenario, Variant.Bug))!;
    }

    private static CheckModel FreeTwice(KernelParts parts)
    {
        var options = new MachineOptions { Cpus = 3, Levels = 1, EntriesPerTable = 1, Tables = 1, Frames = 2, FrameColours = 1 };
        Stage stage = Stage.WithMappedPages(
            options, 1, mmapWriters: false, dirty: true, parts, new KernelOptions { AnonFolios = true, Lazyfree = true });
        for (int i = 0; i < 2; i++)
        {
            Cpu cpu = stage.Cpu(i);
            Promise promise = stage.Promise(i, 1, PromiseKind.ContentsGivenUp, "madvise()");
            bool stores = i == 1;
            stage.AddThread(i, "madvise", () => Free(stage.Kernel, cpu, stage.Mm, promise, stores));
        }

        stage.AddKernelThread(2, "kswapd", () => stage.Kernel.Reclaim.ShrinkFolioList(stage.Cpu(2), FrameSet.Of(0), batch: true));
        return stage.ToModel(new PWrite());
    }

    private static async Proc Free(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, bool stores)
    {
        await cpu.BeginPromise(promise);
        await kernel.Madvise.MadviseFree(cpu, mm, promise.FirstPage, promise.PageCount);
        await cpu.ReturnPromise(promise);
        if (stores)
        {
            await Stage.StorePages(kernel, cpu, mm, 1);
        }
    }

    /// <summary>Without a promise it is MADV_FREE. Then the thread looks at what it advised.</summary>
    private static async Proc Call(KernelModel kernel, Cpu cpu, Mm mm, int first, int count, Promise? promise)
    {
        if (promise is null)
        {
            await kernel.Madvise.MadviseFree(cpu, mm, first, count);
        }
        else
        {
            await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        }

        for (int page = first; page < first + count; page++)
        {
            await cpu.AccessTouch(page);
        }
    }

    /// <summary>MADV_FREE that clears dirty bits and tells no TLB.</summary>
    private sealed class FreeWithoutFlush(KernelModel kernel) : Madvise(kernel)
    {
        protected override async Proc ClearYoungDirtyPte(TlbGather tlb, PageTable table, int page, Pte entry, ulong bits)
        {
            Pte old = await Kernel.PteOps.PtepGetAndClear(tlb.Cpu, table, page);
            await Kernel.PteOps.SetPteAt(tlb.Cpu, table, page, old.Without(bits));
        }
    }
}
