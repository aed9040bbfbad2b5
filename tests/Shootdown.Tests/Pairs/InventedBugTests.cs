using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// The matrix finds bugs that nobody wrote a scenario or an operation for. Each is looked for in the row of two operations (one, twice: alone
/// and with itself) and must show; the same machine must pass with the correct core.
/// </summary>
public sealed class InventedBugTests
{
    private static readonly CheckOptions Options = new() { Time = TimeSpan.FromSeconds(60), MinimiserStatesMax = 1 };

    /// <summary>The bug, two operations, the machine and the property that shows it.</summary>
    public static TheoryData<string, string, string, string, string> Found => new()
    {
//ROWS
    };

    /// <summary>
    /// What no property judges yet: contents that MADV_FREE gave up and that were stored to again, and the loss of a uffd-wp mark.
    /// </summary>
    public static TheoryData<string, string, string> Missed => new()
    {
        { "madvise-free-records-nothing", "madvise-free", "reclaim" },
        { "migration-loses-uffd-wp", "migrate", "uffd-wp" },
        { "pending-cleared-before-flush", "madvise-dontneed", "reclaim-batched" },
    };

    [Theory]
    [MemberData(nameof(Found))]
    public void An_invented_bug_is_found(string bug, string first, string second, string machine, string property)
    {
        PairCell cell = Cells(first, second).First(one => one.Machine == machine);
        CheckReport report = PairRun.Check(cell, SetupOf(bug), Options);
        Assert.Equal((Verdict.Violation, property), (report.Verdict, report.Counterexample?.PropertyId));
        Assert.Equal(Verdict.Pass, PairRun.Check(cell, new PairSetup(), Options).Verdict);
    }

    [Theory]
    [MemberData(nameof(Missed))]
    public void What_is_missed_is_known(string bug, string first, string second)
        => Assert.All(Cells(first, second), cell => Assert.Equal(Verdict.Pass, PairRun.Check(cell, SetupOf(bug), Options).Verdict));

    [Fact]
    public void Every_invented_bug_is_in_a_table()
        => Assert.Equal(
            InventedBugs.All.Select(bug => bug.Id).Order(),
            Found.Select(row => row.Data.Item1).Concat(Missed.Select(row => row.Data.Item1)).Order());

    private static PairSetup SetupOf(string bug)
    {
        KernelPatch patch = InventedBugs.All.Single(one => one.Id == bug);
        var core = new PairSetup();
        return core with { Name = bug, Parts = patch.Apply(core.Parts), Options = patch.Configure(core.Options) };
    }

    /// <summary>The machines of two operations; of one with itself and alone, if both are the same.</summary>
    private static IEnumerable<PairCell> Cells(string first, string second)
    {
        MmOperation[] chosen = [.. new[] { first, second }.Distinct().Select(id => OperationList.All.Single(operation => operation.Id == id))];
        return PairMatrix.Pairs(OperationList.All, chosen).Where(cell => cell.Operations.All(chosen.Contains));
    }
}
