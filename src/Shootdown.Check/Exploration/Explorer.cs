using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>Explores every interleaving of a model within its bounds, on several threads.</summary>
public static class Explorer
{
    /// <summary>
    /// Explores until everything was visited, a violation was found or a limit was hit. With reduction on, it
    /// explores again until a pass learns nothing new about what the programs may touch on which it relied (see <see cref="ReductionTable"/>).
    /// </summary>
    /// <exception cref="ProcRuleException">A program broke a rule that the exploration depends on.</exception>
    public static ExplorationResult Explore(CheckModel model, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        if (model.Machine.Agents.Count > 64)
        {
            throw new ProcRuleException($"the machine has {model.Machine.Agents.Count} agents; the explorer handles 64");
        }

        var clock = Stopwatch.StartNew();
        if (UsesSymmetry(model, options))
        {
            var symmetry = new MachineSymmetry(model.Machine, model.Symmetry!);
            ExplorationResult result = RunPass(model, options, null, symmetry, clock);
            if (result.Violation is null)
            {
                symmetry.CheckPrograms();
            }

            return result;
        }

        if (!options.Reduction)
        {
            return RunPass(model, options, null, null, clock);
        }

        var reduction = new ReductionTable(model.Machine);
        if (options.RemembersChoices)
        {
            var start = new MachineState(model.Machine);
            StepRunner.RunPrologues(start);
            new RandomWalker(start).Learn();
        }

        while (true)
        {
            reduction.BeginPass();
            ExplorationResult result = RunPass(model, options, reduction, null, clock);
            bool stands = (options.RemembersChoices ? result.ChoicesStand : reduction.GrowthCount == 0) && reduction.LoopHeadsStand();
            if (stands || result.Violation is not null || result.Incomplete is not null)
            {
                return result;
            }
        }
    }

    /// <summary>
    /// True if states are told apart up to symmetry; reduction is off then. Final states that are to be compared keep their names.
    /// </summary>
    internal static bool UsesSymmetry(CheckModel model, CheckOptions options)
        => options.Symmetry && model.Symmetry is not null && !options.CollectFinalStates;

    private static ExplorationResult RunPass(
        CheckModel model, CheckOptions options, ReductionTable? reduction, MachineSymmetry? symmetry, Stopwatch clock)
    {
        int workers = options.WorkerCount;
        using var search = new SharedSearch(model, options, reduction, symmetry, workers, clock);
        SearchWorker[] crew = [.. Enumerable.Range(0, workers).Select(index => new SearchWorker(search, index))];
        WorkerThreads.Run([.. crew.Select(worker => (Action)worker.Run)]);
        if (search.Failure is BoundExceededException bound)
        {
            search.GiveUp(bound.Message);
        }
        else if (search.Failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        return new ExplorationResult
        {
            Violation = search.Violation,
            Path = search.Path,
            Incomplete = search.Violation is null ? search.Incomplete : null,
            States = crew.Sum(worker => worker.States),
            Transitions = crew.Sum(worker => worker.Transitions),
            Executions = crew.Sum(worker => worker.Executions),
            DepthMax = crew.Max(worker => worker.DepthMax),
            TableBytes = search.Visited.Bytes,
            Judgements = [.. Enumerable.Range(0, model.Properties.Count).Select(slot => crew.Sum(worker => worker.Judgements[slot]))],
            FinalStates = search.FinalStates,
            ChoicesStand = !search.IsDoomed && crew.All(worker => worker.ChoicesStand()),
            Costs = CostTally.Report(model.Machine, [.. crew.Select(worker => worker.Costs).OfType<CostTally>()]),
        };
    }
}
