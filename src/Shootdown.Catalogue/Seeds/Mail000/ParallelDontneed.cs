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
        a range of two pages against its second one, three calls at a time, MADV_FREE as the second call.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("two calls, before", "madv-dontneed-parallel", Variant.Bug),
        SeedRun.OfScenario("two calls, today", "madv-dontneed-parallel", Variant.Fix),
        .. Shapes.SelectMany(shape => new[] { Run(shape.Name, shape.Calls, true), Run(shape.Name, shape.Calls, false) }),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        SeedRunResult[] before = [.. results.Runs.Where(run => run.Name.EndsWith("before", StringComparison.Ordinal))];
        SeedRunResult[] today = [.. results.Runs.Except(before)];
        bool found = results.Violated("two calls, before");
        bool clean = today.All(run => run.Verdict == Verdict.Pass);
        int shapes = before.Count(run => run.Verdict == Verdict.Violation);
        return (found, clean) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds, $"P-ret is violated without the count of gathers, in {shapes} of {before.Length} shapes; with it all {today.Length} are clean"),
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
        Scenario scenario = ScenarioList.Find("madv-dontneed-parallel")!;
        KernelParts parts = before ? scenario.BugParts(ScenarioDefaults.SetupOf(scenario, Variant.Bug))! : new KernelParts();
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
}
