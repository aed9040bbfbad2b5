using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Areas and runs of the items of seed 003.</summary>
internal static class Cases003
{
    /// <summary>An executable area and its neighbour in the same table.</summary>
    internal static ImmutableArray<VmaKind> ExecFirst { get; } = [new(0, 1, true, false), new(1, 1, false, false)];

    /// <summary>An area and its executable neighbour.</summary>
    internal static ImmutableArray<VmaKind> ExecLast { get; } = [new(0, 1, false, false), new(1, 1, true, false)];

    /// <summary>An area of small pages, then a hugetlb area in the next entry of the upper level.</summary>
    internal static ImmutableArray<VmaKind> HugeLast { get; } = [new(0, 1, false, false), new(2, 2, false, true)];

    /// <summary>The same the other way round.</summary>
    internal static ImmutableArray<VmaKind> HugeFirst { get; } = [new(0, 2, false, true), new(2, 1, false, false)];

    /// <summary>One area.</summary>
    internal static ImmutableArray<VmaKind> Single { get; } = [new(0, 2, true, false)];

    /// <summary>Two areas that are more than a table apart.</summary>
    internal static ImmutableArray<VmaKind> FarApart { get; } = [new(0, 1, true, false), new(6, 1, false, false)];

    /// <summary>The layouts that differ in flags, with their names.</summary>
    internal static IReadOnlyList<(string Name, ImmutableArray<VmaKind> Vmas)> Layouts { get; } =
        [("exec, plain", ExecFirst), ("plain, exec", ExecLast), ("plain, huge", HugeLast), ("huge, plain", HugeFirst)];

    /// <summary>A case.</summary>
    internal static GatherFlagsCase Case(
        ImmutableArray<VmaKind> vmas, FlushPolicyKind policy, VmaBrackets brackets, PairRule rule = PairRule.None, bool walkCaches = true)
        => new(vmas, 2, policy, walkCaches, brackets, rule);

    /// <summary>Every policy on every layout.</summary>
    internal static IEnumerable<SeedRun> Survivors(string head, VmaBrackets brackets, bool walkCaches)
        => from policy in Enum.GetValues<FlushPolicyKind>()
           from layout in Layouts
           select GatherFlagsModel.Run($"{head}: {policy}: {layout.Name}", Case(layout.Vmas, policy, brackets, PairRule.None, walkCaches));

    /// <summary>A table with a row for each policy and a column for each layout.</summary>
    internal static SeedTable TableOf(string title, string head, SeedResults results) => new(
        title,
        ["policy", .. Layouts.Select(layout => layout.Name)],
        [
            .. Enum.GetValues<FlushPolicyKind>().Select(policy => (IReadOnlyList<string>)
                [policy.ToString(), .. Layouts.Select(layout => results[$"{head}: {policy}: {layout.Name}"].Cell)]),
        ]);

    /// <summary>The policies on which something survives on some layout.</summary>
    internal static IReadOnlyList<string> UnsafePolicies(string head, SeedResults results)
        => [.. Enum.GetValues<FlushPolicyKind>().Where(policy => Layouts.Any(layout => results.Violated($"{head}: {policy}: {layout.Name}")))
            .Select(policy => policy.ToString())];

    /// <summary>Costs of a case, as facts.</summary>
    internal static SeedRun Cost(string name, ImmutableArray<VmaKind> vmas, FlushPolicyKind policy, VmaBrackets brackets)
    {
        GatherFlagsCase run = Case(vmas, policy, brackets);
        return SeedRun.OfFacts(name, $"cost of {run.Key}", () =>
        {
            GatherCost cost = GatherFlagsModel.CostOf(run);
            return
            [
                $"calls of free_pgd_range: {cost.FreePgdRange}", $"calls of flush_cache_range: {cost.CacheFlushes}", $"calls of tlb_flush: {cost.TlbFlushes}",
                $"flush policy of the architecture: {run.PolicyText}",
            ];
        });
    }

    /// <summary>A number among the facts of a run that counted costs.</summary>
    internal static string CountOf(SeedResults results, string name, string function)
        => results[name].Facts.First(fact => fact.StartsWith($"calls of {function}:", StringComparison.Ordinal)).Split(": ")[1];

    /// <summary>An operation of the library alone, on today's kernel with the rule asserted for pages and tables.</summary>
    internal static SeedRun Rule(string operation, PageKind kind = PageKind.Anonymous) => SeedRun.OfModel(
        operation,
        $"rule of start and end {operation} {kind}",
        () => PairModel.Build(
            new PairCell([OperationList.All.First(one => one.Id == operation)], RangeRelation.Same, kind, Bystander.Busy),
            new PairSetup { Parts = AssertsRule }));

    /// <summary>The end of an address space, on the same kernel.</summary>
    internal static SeedRun ExitRule(string name) => SeedRun.OfModel(name, "rule of start and end exit", () =>
    {
        var options = new MachineOptions { Cpus = 1, Levels = 2, EntriesPerTable = 2, Tables = 3, Frames = 2, FrameColours = 2 };
        Stage stage = Stage.WithMappedPages(options, 2, mmapWriters: false, dirty: true, AssertsRule);
        stage.AddThread(0, "exit", () => stage.Kernel.ExitMmap.ExitMm(stage.Cpu(0), stage.Mm));
        return new CheckModel(stage.Machine, [new Assertions()]);
    });

    private static KernelParts AssertsRule { get; } = new() { MmuGather = kernel => new RuleGather(kernel) };

    /// <summary>Today's gather, asserting that everything is queued between a start and an end.</summary>
    private sealed class RuleGather : MmuGather
    {
        private readonly ImmutableArray<Word> _open;

        internal RuleGather(KernelModel kernel)
            : base(kernel) => _open = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb.vma"))];

        public override async Proc TlbStartVma(TlbGather tlb, FileArea? area)
        {
            await base.TlbStartVma(tlb, area);
            await tlb.Cpu.Store(_open[tlb.Cpu.Index], 1);
        }

        public override async Proc TlbEndVma(TlbGather tlb)
        {
            await base.TlbEndVma(tlb);
            await tlb.Cpu.Store(_open[tlb.Cpu.Index], 0);
        }

        public override async Proc<bool> TlbRemovePage(TlbGather tlb, int frame, bool delayRmap)
        {
            await Require(tlb, "a page");
            return await base.TlbRemovePage(tlb, frame, delayRmap);
        }

        public override async Proc TlbRemoveTableEntry(TlbGather tlb, int page, int level)
        {
            await Require(tlb, "a table");
            await base.TlbRemoveTableEntry(tlb, page, level);
        }

        [KernelName]
        private async Proc Require(TlbGather tlb, string what)
            => await tlb.Cpu.Assert(await tlb.Cpu.Load(_open[tlb.Cpu.Index]) != 0, $"{what} is queued between tlb_start_vma and tlb_end_vma");
    }
}
