using Shootdown.Check;
using Shootdown.Machine;
using Shootdown.Tests.Devices;
using Shootdown.Tests.Differential;

namespace Shootdown.Tests.Costs;

/// <summary>
/// Random programs whose costs are counted: reduction and several workers change nothing about the least and the most of any
/// counter, and counting changes nothing about what the programs do.
/// </summary>
public sealed class RandomCostTests
{
    private const int Programs = 200;
    private const long SlowBytes = 3 << 19;

    [Theory]
    [InlineData(Family.Paging)]
    [InlineData(Family.Tables)]
    [InlineData(Family.Switching)]
    public void Reduction_does_not_change_costs(Family family)
    {
        int compared = 0;
        int spread = 0;
        for (int seed = 0; seed < Programs; seed++)
        {
            var program = new RandomProgram(family, seed);
            bool byOperation = seed % 2 == 0;
            ExplorationResult slow = Explore(program.Build(costs: new PCost(byOperation, "step", "flush")), false, 1);
            ExplorationResult fast = Explore(program.Build(costs: new PCost(byOperation, "step", "flush")), true, 1 + (seed % 3));
            if (slow.Incomplete is not null || fast.Incomplete is not null || slow.Violation is not null)
            {
                continue;
            }

            compared++;
            Assert.True(CostCounterTests.SameCosts(slow.Costs!, fast.Costs!), $"other costs with reduction\n{Text(slow)}\n{Text(fast)}\n{program}");
            spread += slow.Costs!.Run is { } run && run.Kinds.Any(range => range.Min != range.Max) ? 1 : 0;
            ExplorationResult uncounted = Explore(program.Build(), true, 1);
            Assert.True(uncounted.FinalStates.SetEquals(fast.FinalStates), $"counting changed what the program does\n{program}");
        }

        Assert.True(compared > Programs / 2, $"only {compared} of {Programs} programs were small enough to compare");
        Assert.True(spread > 5, $"only {spread} programs have runs that cost differently: the comparison is blind");
    }

    /// <summary>Commands to an IOMMU, and those of them that find nothing, are the same whatever is left out.</summary>
    [Fact]
    public void Reduction_does_not_change_costs_of_devices()
    {
        int compared = 0;
        int spread = 0;
        for (int seed = 0; seed < Programs; seed++)
        {
            var program = new RandomDeviceProgram(seed);
            CheckModel Model() => program.Build(TlbKind.Lagging, MemoryModelKind.Sc, 0, costs: new PCost(seed % 2 == 0));
            ExplorationResult slow = Explore(Model(), false, 1);
            ExplorationResult fast = Explore(Model(), true, 1 + (seed % 3));
            if (slow.Incomplete is not null || fast.Incomplete is not null || slow.Violation is not null)
            {
                continue;
            }

            compared++;
            Assert.True(CostCounterTests.SameCosts(slow.Costs!, fast.Costs!), $"other costs with reduction\n{Text(slow)}\n{Text(fast)}\n{program}");
            spread += slow.Costs!.Run is { } run && run[CostKind.SecondaryFlushes].Max > 0 && run[CostKind.Redundant] is var vain && vain.Min != vain.Max ? 1 : 0;
        }

        Assert.True(compared > Programs / 2, $"only {compared} of {Programs} programs were small enough to compare");
        Assert.True(spread > 5, $"in only {spread} programs it depends on the order whether a command finds something: the comparison is blind");
    }

    private static string Text(ExplorationResult result) => string.Join(
        " | ", result.Costs!.Rows.Select(row => string.Join(' ', row.Kinds.Select((range, kind) => $"{(CostKind)kind}={range}"))));

    private static ExplorationResult Explore(CheckModel model, bool reduction, int workers) => Explorer.Explore(model, new CheckOptions
    {
        Workers = workers,
        Reduction = reduction,
        CollectFinalStates = true,
        MemoryBytes = SlowBytes,
    });
}
