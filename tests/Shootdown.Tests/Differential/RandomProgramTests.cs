using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Differential;

/// <summary>
/// Thousands of random programs, each explored in a fast way and in a slow one. The verdicts must agree, and without a
/// violation the observable final states too. Every failure prints the program and its seed.
/// </summary>
public sealed class RandomProgramTests
{
    /// <summary>Programs of every family; the heavier comparisons take a part of them.</summary>
    private const int Programs = 400;

    /// <summary>About 60,000 states: a slow exploration that needs more is skipped, and the test counts how many were not.</summary>
    private const long SlowBytes = 3 << 19;

    [Theory]
    [InlineData(Family.Memory)]
    [InlineData(Family.Paging)]
    [InlineData(Family.Tables)]
    [InlineData(Family.Switching)]
    [InlineData(Family.Moves)]
    public void Reduction_on_agrees_with_reduction_off(Family family)
        => CompareAll(family, Programs, 0.7, "reduction off", "reduction on", (program, property) =>
            (Explore(program.Build(property: property), reduction: false), Explore(program.Build(property: property))));

    [Theory]
    [InlineData(Family.Memory)]
    [InlineData(Family.Paging)]
    [InlineData(Family.Switching)]
    public void Reduction_agrees_under_store_buffers(Family family)
        => CompareAll(family, Programs / 4, 0.5, "x86-tso, reduction off", "x86-tso, reduction on", (program, property) => (
            Explore(program.Build(model: MemoryModelKind.X86Tso, property: property), reduction: false),
            Explore(program.Build(model: MemoryModelKind.X86Tso, property: property))));

    [Theory]
    [InlineData(Family.Paging)]
    [InlineData(Family.Tables)]
    [InlineData(Family.Switching)]
    [InlineData(Family.Moves)]
    public void Lagging_TLB_agrees_with_explicit_TLB(Family family)
        => CompareAll(family, Programs / 4, 0.15, "explicit TLB", "lagging TLB", (program, property) =>
            (Explore(program.Build(TlbKind.Explicit, property: property)), Explore(program.Build(property: property))));

    /// <summary>
    /// What was chosen before is not chosen again, and a pass that learned something counts if it relied on nothing that turned out
    /// otherwise: then it is, state by state, the pass that would be repeated.
    /// </summary>
    [Theory]
    [InlineData(Family.Memory)]
    [InlineData(Family.Paging)]
    [InlineData(Family.Tables)]
    [InlineData(Family.Switching)]
    [InlineData(Family.Moves)]
    public void Remembered_choices_agree_with_choosing_anew(Family family)
        => CompareAll(family, Programs, 0.9, "chosen anew", "remembered", (program, property) =>
        {
            ExplorationResult slow = Explore(program.Build(property: property), remembers: false);
            ExplorationResult fast = Explore(program.Build(property: property));
            if (slow.Violation is null && slow.Incomplete is null && fast.Incomplete is null)
            {
                Assert.True(slow.States == fast.States, $"{slow.States} states, with remembered choices {fast.States}\n{program}");
                Assert.Equal(slow.Transitions, fast.Transitions);
                Assert.Equal(slow.Executions, fast.Executions);
            }

            return (slow, fast);
        });

    [Theory]
    [InlineData(Family.Memory)]
    [InlineData(Family.Paging)]
    [InlineData(Family.Tables)]
    public void All_workers_agree_with_one(Family family)
        => CompareAll(family, Programs / 4, 0.9, "1 worker", "4 workers", (program, property) =>
        {
            ExplorationResult one = Explore(program.Build(property: property));
            ExplorationResult many = Explore(program.Build(property: property), workers: 4);
            if (one.Violation is null && one.Incomplete is null && many.Incomplete is null)
            {
                Assert.Equal(one.States, many.States);
                Assert.Equal(one.Executions, many.Executions);
            }

            return (one, many);
        });

    [Theory]
    [InlineData(Family.Memory)]
    [InlineData(Family.Paging)]
    [InlineData(Family.Switching)]
    public void Outcomes_under_sc_are_outcomes_under_tso(Family family)
    {
        for (int seed = 0; seed < Programs / 2; seed++)
        {
            var program = new RandomProgram(family, seed);
            ExplorationResult sc = Explore(program.Build());
            ExplorationResult tso = Explore(program.Build(model: MemoryModelKind.X86Tso));
            if (tso.Incomplete is null && tso.Violation is null)
            {
                Assert.True(sc.Violation is null && sc.FinalStates.IsSubsetOf(tso.FinalStates), $"sc has an outcome that x86-tso has not\n{program}");
            }
        }
    }

    [Fact]
    public void Every_counterexample_replays_and_minimising_never_lengthens_it()
    {
        int found = 0;
        foreach (Family family in Enum.GetValues<Family>())
        {
            for (int seed = 0; seed < 120; seed++)
            {
                var program = new RandomProgram(family, seed);
                CheckModel model = program.Build(property: 1 + (seed % 3));
                ExplorationResult result = Explore(model);
                if (result.Violation is not { } violation)
                {
                    continue;
                }

                found++;
                Assert.Equal(violation.PropertyId, Replayer.Run(model, result.Path)?.PropertyId);
                (IReadOnlyList<Step> shortest, bool isMinimal) = Minimiser.Minimise(model, result.Path, violation, new CheckOptions());
                Assert.Equal(violation.PropertyId, Replayer.Run(program.Build(property: 1 + (seed % 3)), shortest)?.PropertyId);
                int before = Minimiser.ContextSwitches(model.Machine, result.Path);
                int after = Minimiser.ContextSwitches(model.Machine, shortest);
                Assert.True(after < before || (after == before && shortest.Count <= result.Path.Count), $"longer than the original\n{program}");
                Assert.True(isMinimal || model.Machine.Agents.Count > 6, $"not proved minimal\n{program}");
                Assert.Equal(shortest, Schedule.Parse(Schedule.Format(shortest), model.Machine));
            }
        }

        Assert.True(found > 40, $"only {found} random programs have a violation: the generator lost its teeth");
    }

    [Fact]
    public void The_incremental_fingerprint_equals_the_one_from_scratch()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var state = new MachineState(new RandomProgram((Family)(seed % 4), seed).Build(property: seed % 4).Machine);
            StepRunner.RunPrologues(state);
            var random = new Random(seed);
            for (int step = 0; step < 60 && state.Violation is null; step++)
            {
                Agent[] able = [.. state.Machine.Agents.Where(agent => state.AlternativesOf(agent) > 0)];
                if (able.Length == 0)
                {
                    break;
                }

                Agent agent = able[random.Next(able.Length)];
                long mark = state.UndoMark;
                (ulong Low, ulong High) before = (state.HashLow, state.HashHigh);
                StepRunner.Step(state, agent.Index, random.Next(state.AlternativesOf(agent)));
                Assert.Equal(state.FingerprintFromScratch(), (state.HashLow, state.HashHigh));
                if (random.Next(3) == 0)
                {
                    state.UndoTo(mark);
                    Assert.Equal(before, (state.HashLow, state.HashHigh));
                }
            }
        }
    }

    private static ExplorationResult Explore(CheckModel model, bool reduction = true, int workers = 1, bool remembers = true)
        => Explorer.Explore(model, new CheckOptions
        {
            Workers = workers,
            Reduction = reduction,
            RemembersChoices = remembers,
            CollectFinalStates = true,
            MemoryBytes = SlowBytes,
        });

    private static void CompareAll(
        Family family,
        int count,
        double shareThatMustFinish,
        string slowName,
        string fastName,
        Func<RandomProgram, int, (ExplorationResult Slow, ExplorationResult Fast)> explore)
    {
        int compared = 0;
        int violations = 0;
        for (int seed = 0; seed < count; seed++)
        {
            var program = new RandomProgram(family, seed);
            int property = family == Family.Memory ? 0 : seed % 4;
            (ExplorationResult slow, ExplorationResult fast) = explore(program, property);
            if (slow.Incomplete is not null || fast.Incomplete is not null)
            {
                continue;
            }

            compared++;
            violations += slow.Violation is null ? 0 : 1;
            Assert.True(
                slow.Violation is null == fast.Violation is null,
                $"{slowName}: {slow.Violation?.Sentence ?? "no violation"}; {fastName}: {fast.Violation?.Sentence ?? "no violation"}\n{program}");
            Assert.True(
                slow.Violation is not null || slow.FinalStates.SetEquals(fast.FinalStates),
                $"{slowName}: {slow.FinalStates.Count} final states; {fastName}: {fast.FinalStates.Count}, or others\n{program}");
        }

        Assert.True(compared >= count * shareThatMustFinish, $"only {compared} of {count} programs were small enough to compare");
        Assert.True(violations > 0 || family == Family.Switching, "no program of the family has a violation: the comparison is blind");
    }
}
