using Shootdown.Catalogue;
using Shootdown.Check;

namespace Shootdown.Tests.Pairs;

/// <summary>Machines of the matrix, and what a mistake in the kernel must and must not change on one of them.</summary>
internal static class BugMachines
{
    /// <summary>The machines of two operations; of one with itself and alone, if both are the same.</summary>
    internal static IEnumerable<PairCell> Of(string first, string second)
    {
        MmOperation[] chosen = [.. new[] { first, second }.Distinct().Select(id => OperationList.All.Single(operation => operation.Id == id))];
        return PairMatrix.Pairs(OperationList.All, chosen).Where(cell => cell.Operations.All(chosen.Contains));
    }

    /// <summary>The correct core with one of the mistakes.</summary>
    internal static PairSetup Setup(IEnumerable<KernelPatch> bugs, string id) => new PairSetup().With(bugs.Single(bug => bug.Id == id));

    /// <summary>The mistake breaks the property on the machine, and the correct core passes there.</summary>
    internal static void IsFound(PairCell cell, PairSetup bug, string property, CheckOptions options)
    {
        CheckReport report = PairRun.Check(cell, bug, options);
        Assert.Equal((Verdict.Violation, property), (report.Verdict, report.Counterexample?.PropertyId));
        Assert.Equal(Verdict.Pass, PairRun.Check(cell, new PairSetup(), options).Verdict);
    }

    /// <summary>With the mistake and without it, exploration without reduction visits more and says the same.</summary>
    internal static void IsSameWithoutReduction(PairCell cell, PairSetup bug, CheckOptions options)
    {
        foreach (PairSetup setup in new[] { bug, new PairSetup() })
        {
            CheckReport fast = PairRun.Check(cell, setup, options);
            CheckReport slow = PairRun.Check(cell, setup, options with { Reduction = false });
            Assert.Equal((slow.Verdict, slow.Counterexample?.PropertyId), (fast.Verdict, fast.Counterexample?.PropertyId));
            Assert.NotEqual(Verdict.Inconclusive, slow.Verdict);
            Assert.True(slow.Stats.States > fast.Stats.States);
        }
    }
}
