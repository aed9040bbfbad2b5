using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-01: does a flush wait for lockless walkers?</summary>
public sealed class FlushIsNoBarrier : SeedItem
{
    private static readonly string[] Flushes = ["IPI, leaf", "IPI, tables", "broadcast"];

    /// <inheritdoc/>
    public override string Id => "S001-01";

    /// <inheritdoc/>
    public override string Lines => "9-13";

    /// <inheritdoc/>
    public override string Claim => "a TLB flush is not sufficient to synchronise with GUP-fast; it was while it implied an IPI";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        CPU1 walks in software with interrupts off, and a word tells that it does. CPU0 reads the word, flushes, and asserts that the
        walk that it saw is over. The flush is an IPI for one page, an IPI that says tables are freed, or a broadcast. CPU1 runs the
        process, or has become lazy before.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from flush in Flushes
           from lazy in new[] { false, true }
           select SeedRun.OfModel(Name(flush, lazy), $"flush waits for walker: {Name(flush, lazy)}", () => Model(flush, lazy)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var table = new SeedTable(
            "has the flush waited for the walker?",
            ["flush", "CPU runs the process", "CPU is lazy"],
            [.. Flushes.Select(flush => new[] { flush, Cell(results, flush, false), Cell(results, flush, true) })]);
        bool ipi = results.Passed(Name("IPI, leaf", false)) && results.Passed(Name("IPI, tables", true));
        bool others = results.Violated(Name("broadcast", false));
        bool filtered = results.Violated(Name("IPI, leaf", true));
        string text = $"an IPI {(ipi ? "waits" : "does not wait")} for walkers on CPUs that it is sent to; "
            + $"a broadcast {(others ? "does not" : "does")}; "
            + $"a lazy CPU is {(filtered ? "left out" : "not left out")} by a leaf flush";
        return new SeedAnswer(others ? SeedVerdict.Holds : SeedVerdict.Refuted, text) { Tables = [table] };
    }

    private static string Name(string flush, bool lazy) => $"{flush}, {(lazy ? "lazy" : "running")}";

    private static string Cell(SeedResults results, string flush, bool lazy)
        => results.Passed(Name(flush, lazy)) ? "yes" : results.Violated(Name(flush, lazy)) ? "no" : "?";

    private static CheckModel Model(string flush, bool lazy)
    {
        MachineOptions options = Stage.FlatOptions(GupModels.Setup(), 2, 1, 1);
        KernelParts parts = flush == "broadcast" ? new KernelParts { TlbFlush = GupModels.Broadcast } : new KernelParts();
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: false, parts);
        Word walk = stage.Machine.NewWord("walk");
        bool tables = flush == "IPI, tables";
        stage.AddThread(0, "flush", () => Flush(stage.Kernel, stage.Cpu(0), stage.Mm, walk, tables));
        stage.AddThread(1, "walker", () => Walk(stage.Kernel, stage.Cpu(1), walk, lazy));
        return new CheckModel(stage.Machine, [new Assertions()]);
    }

    private static async Proc Flush(KernelModel kernel, Cpu cpu, Mm mm, Word walk, bool tables)
    {
        ulong seen = await cpu.Load(walk);
        await kernel.TlbFlush.FlushTlbMmRange(cpu, mm, PageRange.Of(0, 1), 0, tables);
        ulong now = await cpu.Load(walk, weight: StepWeight.Key);
        await cpu.Assert(seen != 1 || now != 1, "the walk that had begun before the flush is over behind it");
    }

    private static async Proc Walk(KernelModel kernel, Cpu cpu, Word walk, bool lazy)
    {
        if (lazy)
        {
            await kernel.LazyTlb.EnterLazyTlb(cpu);
        }

        await cpu.InterruptsOff();
        await cpu.Store(walk, 1, weight: StepWeight.Key);
        await cpu.Store(walk, 2, weight: StepWeight.Key);
        await cpu.InterruptsOn();
    }
}
