extern alias unoptimised;

using Shootdown.Catalogue;
using Shootdown.Check;
using Plain = unoptimised::Shootdown;

namespace Shootdown.Tests.Differential;

/// <summary>
/// Without optimisation the compiler makes state machines classes and keeps every local in them. That may multiply
/// states, but neither verdicts nor the final states may depend on it.
/// </summary>
public sealed class UnoptimisedTests
{
    private const int Programs = 100;

    /// <summary>A program that needs more states than fit is skipped, and the test counts how many were not.</summary>
    private const long Bytes = 3 << 20;

    public static TheoryData<string> Ids => new(ScenarioList.All.Select(scenario => scenario.Id));

    [Theory]
    [MemberData(nameof(Ids))]
    public void Scenarios_have_the_same_verdicts_and_final_states(string id)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        Plain.Catalogue.Scenario plain = Plain.Catalogue.ScenarioList.Find(id)!;
        foreach (Variant variant in scenario.Variants)
        {
            ExplorationResult fast = Explorer.Explore(
                scenario.Build(ScenarioDefaults.SetupOf(scenario, variant)),
                new CheckOptions { Workers = 1, CollectFinalStates = true });
            Plain.Check.ExplorationResult slow = Plain.Check.Explorer.Explore(
                plain.Build(Plain.Catalogue.ScenarioDefaults.SetupOf(plain, (Plain.Catalogue.Variant)variant)),
                new Plain.Check.CheckOptions { Workers = 1, CollectFinalStates = true });
            Same($"{id} {variant}", fast, slow);
        }
    }

    [Theory]
    [InlineData(Family.Memory)]
    [InlineData(Family.Paging)]
    [InlineData(Family.Tables)]
    [InlineData(Family.Switching)]
    public void Random_programs_have_the_same_verdicts_and_final_states(Family family)
    {
        int compared = 0;
        for (int seed = 0; seed < Programs; seed++)
        {
            int property = family == Family.Memory ? 0 : seed % 4;
            var program = new RandomProgram(family, seed);
            var plain = new Plain.Tests.Differential.RandomProgram((Plain.Tests.Differential.Family)family, seed);
            ExplorationResult fast = Explorer.Explore(
                program.Build(property: property),
                new CheckOptions { Workers = 1, CollectFinalStates = true, MemoryBytes = Bytes });
            Plain.Check.ExplorationResult slow = Plain.Check.Explorer.Explore(
                plain.Build(property: property),
                new Plain.Check.CheckOptions { Workers = 1, CollectFinalStates = true, MemoryBytes = Bytes });
            if (fast.Incomplete is null && slow.Incomplete is null)
            {
                compared++;
                Same(program.ToString(), fast, slow);
            }
        }

        Assert.True(compared > Programs * 0.7, $"only {compared} of {Programs} programs were small enough to compare");
    }

    /// <summary>If both were compiled alike, the comparison would be blind.</summary>
    [Fact]
    public void State_machines_are_classes_without_optimisation()
    {
        Assert.All(StateMachines(typeof(Scenario).Assembly), type => Assert.True(type.IsValueType, type.FullName));
        Assert.All(StateMachines(typeof(Plain.Catalogue.Scenario).Assembly), type => Assert.False(type.IsValueType, type.FullName));
    }

    private static Type[] StateMachines(System.Reflection.Assembly assembly)
    {
        Type[] found = [.. assembly.GetTypes().Where(type =>
            type.IsAssignableTo(typeof(System.Runtime.CompilerServices.IAsyncStateMachine)) && type.Name.StartsWith('<'))];
        Assert.NotEmpty(found);
        return found;
    }

    private static void Same(string name, ExplorationResult fast, Plain.Check.ExplorationResult slow)
    {
        Assert.True(fast.Incomplete is null && slow.Incomplete is null, $"{name}: {fast.Incomplete} {slow.Incomplete}");
        Assert.True(
            fast.Violation?.PropertyId == slow.Violation?.PropertyId,
            $"{name}: optimised {fast.Violation?.Sentence ?? "no violation"}; not optimised {slow.Violation?.Sentence ?? "no violation"}");
        if (fast.Violation is null)
        {
            Assert.True(
                fast.FinalStates.SetEquals(slow.FinalStates),
                $"{name}: optimised {fast.FinalStates.Count} final states; not optimised {slow.FinalStates.Count}, or others");
        }
    }
}
