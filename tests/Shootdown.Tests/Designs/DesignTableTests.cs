using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Designs;

/// <summary>Which designs are safe on which workloads; docs/designs.md holds the whole table with costs.</summary>
public sealed class DesignTableTests
{
    private static readonly CheckOptions Options = new() { Workers = 1 };

    /// <summary>Everything that is not safe, and by which property.</summary>
    public static TheoryData<string, string> Unsafe => new()
    {
        { "unmarked", "page-cache assert, reclaim-mprotect P-ret, two-madvise P-ret" },
        { "vma-generation-rfc", "lazy-tables P-life, page-cache assert, switch-away P-ret" },
        { "table-generation-rfc", "lazy-tables P-life, page-cache assert, switch-away P-ret" },
        { "immediate", "" },
        { "mmu-gather", "" },
        { "lazy-until-reuse", "" },
        { "latr", "page-cache assert" },
        { "latr-madvise", "lazy-return P-ret, other-area P-ret, page-cache assert, two-madvise P-ret" },
        { "batched", "page-cache assert" },
        { "per-mm-pending", "page-cache assert" },
        { "vma-generation", "page-cache assert" },
        { "table-generation", "page-cache assert" },
        { "always-increment", "page-cache assert" },
        { "flush-ring", "page-cache assert" },
        { "broadcast", "page-cache assert" },
        { "broadcast-first", "page-cache assert" },
    };

    [Theory]
    [MemberData(nameof(Unsafe))]
    public void Design_is_safe_save_for(string id, string notSafe)
    {
        FlushDesign design = DesignList.Designs.Single(candidate => candidate.Id == id);
        var found = new List<string>();
        foreach (DesignWorkload workload in DesignList.Workloads)
        {
            CheckReport report = DesignRun.CheckSafety(design, workload, Options);
            Assert.True(report.Verdict is Verdict.Pass or Verdict.Violation, $"{id} on {workload.Id}: {report.Verdict} {report.Reason}");
            if (report.Verdict == Verdict.Violation)
            {
                found.Add($"{workload.Id} {report.Counterexample!.PropertyId}");
            }
        }

        Assert.Equal(notSafe, string.Join(", ", found));
        Assert.Equal(design.IsSound, found.TrueForAll(cell => cell.StartsWith("page-cache", StringComparison.Ordinal)));
    }

    /// <summary>What B50 says of lazy flushes, as mistakes: each is found on the workload that is about it.</summary>
    [Theory]
    [InlineData(LatrMistake.AddressNotKept, "munmap-mmap", "P-ret")]
    [InlineData(LatrMistake.FreedAtOnce, "munmap-mmap", "P-life")]
    [InlineData(LatrMistake.FreedAtOnce, "lazy-tables", "P-life")]
    [InlineData(LatrMistake.MadviseToo, "two-madvise", "P-ret")]
    public void Latr_needs_all_of_its_rules(LatrMistake mistake, string workload, string property)
        => Assert.Equal(property, Violated(new Latr(mistake), workload));

    /// <summary>LUF: an address that may be stored to again needs the flush, and so does a frame that migration has left.</summary>
    [Theory]
    [InlineData("reclaim-store")]
    [InlineData("migrate-store")]
    public void Luf_flushes_before_stores_are_let_in(string workload)
    {
        Assert.Equal("assert", Violated(new LazyUntilReuse(ReuseMistake.MadeWritable), workload));
        Assert.Null(Violated(new LazyUntilReuse(), workload));
    }

    /// <summary>A CPU that leaves lazy mode catches up with flushes that passed it by.</summary>
    [Fact]
    public void Lazy_mode_ends_with_a_look_at_the_generation()
    {
        Assert.Equal("P-life", Violated(new ForgetsToCatchUp(), "lazy-return"));
        Assert.Null(Violated(new BatchedFlush(), "lazy-return"));
    }

    /// <summary>A process that has its global ASID is flushed by broadcasts, wherever a flush is more than a CPU's own.</summary>
    [Theory]
    [InlineData("munmap-mmap")]
    [InlineData("two-madvise")]
    [InlineData("lazy-return")]
    public void Broadcast_design_broadcasts(string workloadId)
    {
        CostRow run = Costs("broadcast", DesignList.Workloads.Single(candidate => candidate.Id == workloadId));
        Assert.True(run[CostKind.Broadcasts].Min > 0, $"{workloadId}: {run[CostKind.Broadcasts]} broadcasts");
        Assert.Equal(0, run[CostKind.IpisSent].Max);
    }

    [Fact]
    public void Every_design_is_pinned()
        => Assert.Equal(
            DesignList.Designs.Select(design => design.Id).Order(StringComparer.Ordinal),
            Unsafe.Select(row => row.Data.Item1).Order(StringComparer.Ordinal));

    /// <summary>A CPU that missed three small flushes: page by page with the ring, a CR3 write that drops everything without.</summary>
    [Theory]
    [InlineData("batched", 3, 2)]
    [InlineData("vma-generation", 3, 2)]
    [InlineData("flush-ring", 6, 1)]
    public void Catching_up_with_three_small_flushes(string id, long partial, long switches)
    {
        CostRow run = Costs(id, new SmallRanges());
        Assert.Equal(new CostRange(partial, partial), run[CostKind.PartialFlushes]);
        Assert.Equal(new CostRange(switches, switches), run[CostKind.SwitchFlushes]);
    }

    /// <summary>Whoever looks at the whole process flushes entries of other areas for nothing.</summary>
    [Theory]
    [InlineData("batched", 3)]
    [InlineData("vma-generation", 1)]
    [InlineData("table-generation", 1)]
    public void Needless_flushes_in_other_areas(string id, long most)
        => Assert.Equal(new CostRange(0, most), Costs(id, new OtherArea())[CostKind.Redundant]);

    [Theory]
    [InlineData("switch-away")]
    [InlineData("two-madvise")]
    public void Reduction_does_not_change_what_a_workload_costs(string workloadId)
    {
        DesignWorkload workload = DesignList.Workloads.Single(candidate => candidate.Id == workloadId);
        foreach (FlushDesign design in DesignList.Designs.Where(design => design is BatchedFlush or VmaGeneration or UnmarkedDeferral))
        {
            CheckReport fast = DesignRun.CountCosts(design, workload, Options);
            CheckReport slow = DesignRun.CountCosts(design, workload, Options with { Reduction = false });
            Assert.Equal(Verdict.Pass, slow.Verdict);
            Assert.Equal(slow.Costs!.Run!.Kinds, fast.Costs!.Run!.Kinds);
        }
    }

    private static string? Violated(FlushDesign design, string workloadId)
    {
        DesignWorkload workload = DesignList.Workloads.Single(candidate => candidate.Id == workloadId);
        return DesignRun.CheckSafety(design, workload, Options).Counterexample?.PropertyId;
    }

    private static CostRow Costs(string id, DesignWorkload workload)
    {
        CheckReport report = DesignRun.CountCosts(DesignList.Designs.Single(design => design.Id == id), workload, Options);
        Assert.Equal(Verdict.Pass, report.Verdict);
        return report.Costs!.Run!;
    }

    private sealed class ForgetsToCatchUp : FlushDesign
    {
        public override string Id => "forgets-to-catch-up";

        public override string Title => "a CPU that leaves lazy mode looks at no generation";

        public override int Year => 2018;

        public override string Source => "this test";

        public override string Story => Title;

        public override KernelParts Apply(KernelParts parts) => parts with { SwitchMm = kernel => new Switch(kernel) };

        private sealed class Switch(KernelModel kernel) : SwitchMm(kernel)
        {
            protected override async Proc LeaveLazyMode(Cpu cpu, Mm mm)
            {
            }
        }
    }
}
