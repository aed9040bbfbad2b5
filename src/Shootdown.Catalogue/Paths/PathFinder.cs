using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// Finds every way on which the operations of the library reach a function. Each operation runs alone and beside a user thread that
/// stores and faults, on every kind of memory that it works on, with a notifier subscribed; all its local states are then walked in
/// the order of its program, with what it holds. What the code can call besides is read from <see cref="CallGraph"/>.
/// </summary>
public static class PathFinder
{
    private static readonly TimeSpan TimeForOne = TimeSpan.FromSeconds(30);

    /// <summary>Runs the library.</summary>
    /// <param name="function">The function, as the kernel spells it (<see cref="CallGraph.Resolve"/>).</param>
    /// <param name="operations">The operations to start from; if empty, all but those that meet a few others only (<see cref="MmOperation.MeetsAll"/>).</param>
    /// <param name="build">The kernel's build-time choices, e.g. the kinds of locks.</param>
    public static PathReport Find(string function, IReadOnlyList<MmOperation> operations, KernelOptions? build = null)
    {
        ArgumentNullException.ThrowIfNull(operations);
        var paths = new SortedDictionary<string, FunctionPath>(StringComparer.Ordinal);
        var cut = new List<string>();
        int machines = 0;
        long states = 0;
        var setup = new PairSetup
        {
            Options = build ?? new KernelOptions(),
            TakesAllLocks = true,
            Prepare = stage => _ = new Listener(stage.Kernel, stage.Mm),
        };
        MmOperation user = OperationList.All.First(one => one.Id == "user-store");
        foreach (MmOperation operation in operations.Count > 0 ? operations : OperationList.All.Where(IsAsked))
        {
            foreach (PairCell cell in CellsOf(operation, user))
            {
                CheckModel model = PairModel.Build(cell, setup);
                ExplorationResult result = Explorer.Explore(model, new CheckOptions { Workers = 1, Time = TimeForOne });
                machines++;
                states += result.States;
                if (result.Incomplete is not null || result.Violation is not null)
                {
                    cut.Add(cell.Name);
                }

                foreach (Agent agent in model.Machine.Agents.Where(agent => agent.Cpu?.Index == 0 && agent.Kind is AgentKind.Task or AgentKind.Interrupt))
                {
                    Walk(agent, operation.Id, function, paths);
                }
            }
        }

        HashSet<string> seen = [.. paths.Values.Select(path => path.Calls.Count > 1 ? path.Calls[^2] : path.Operation)];
        string[] unseen = operations.Count > 0 ? []
            : [.. CallGraph.Library.CallersOf(function).Where(caller => !seen.Contains(caller)).Select(caller => $"{caller} > {function}")];
        return new PathReport(function, [.. paths.Values], machines, states, cut, unseen, operations.Count > 0 ? [] : CallGraph.Library.RootsOf(function));
    }

    private static bool IsAsked(MmOperation operation) => operation.MeetsAll
        || operation is ScheduleOperation or ExitOperation or CollapseFileOperation or ShiftArgPagesOperation;

    private static IEnumerable<PairCell> CellsOf(MmOperation operation, MmOperation user)
    {
        foreach (PageKind kind in Enum.GetValues<PageKind>().Where(operation.Meets)
            .Where(kind => kind is not (PageKind.HugeCopyOnWrite or PageKind.PrivateFile or PageKind.UserfaultProtected)))
        {
            RangeRelation relation = operation.Id.Contains("munmap", StringComparison.Ordinal) ? RangeRelation.Overlapping : RangeRelation.Same;
            yield return new PairCell([operation], relation, kind, Bystander.Busy);
            if (user.Meets(kind) && !operation.EndsProcess)
            {
                yield return new PairCell([operation, user], RangeRelation.Same, kind, Bystander.Busy);
            }
        }
    }

    /// <summary>Goes through an agent's local states along its program, with the set of what it holds.</summary>
    private static void Walk(Agent agent, string operation, string function, SortedDictionary<string, FunctionPath> paths)
    {
        ImmutableList<HeldChange> none = agent.Kind == AgentKind.Interrupt
            ? [new HeldChange(string.Empty, HoldKind.Handler, true)] : [];
        var seen = new HashSet<(LocalState Local, string Held)>();
        var work = new Stack<(LocalState Local, ImmutableList<HeldChange> Held, string Before)>();
        work.Push((agent.Initial, none, string.Empty));
        while (work.TryPop(out (LocalState Local, ImmutableList<HeldChange> Held, string Before) at))
        {
            if (!seen.Add((at.Local, string.Join(';', at.Held))))
            {
                continue;
            }

            string prefix = Prefix(at.Local, function);
            if (prefix.Length > 0 && prefix != at.Before)
            {
                var path = new FunctionPath(operation, prefix.Split(' '), at.Held);
                paths.TryAdd(path.Key, path);
            }

            foreach ((long result, LocalState next) in at.Local.Successors)
            {
                work.Push((next, After(at.Held, at.Local.Operation!.HeldAfter(result)), prefix));
            }
        }
    }

    /// <summary>The calls up to the function, joined by blanks; empty if the local state is not inside it.</summary>
    private static string Prefix(LocalState local, string function)
    {
        IReadOnlyList<string> calls = local.CallStack();
        int end = calls.Count - 1;
        while (end >= 0 && calls[end] != function)
        {
            end--;
        }

        return string.Join(' ', calls.Take(end + 1).Where((name, index) => index > 0 || name != "run"));
    }

    private static ImmutableList<HeldChange> After(ImmutableList<HeldChange> held, HeldChange? change)
    {
        if (change is not { } happened)
        {
            return held;
        }

        int at = held.FindLastIndex(one => one.Name == happened.Name && (one.Kind == happened.Kind || happened.Name.Length > 0));
        bool replaces = happened.Takes && at >= 0 && (happened.Kind is HoldKind.InterruptsOff or HoldKind.Read);
        ImmutableList<HeldChange> rest = at >= 0 && (!happened.Takes || replaces) ? held.RemoveAt(at) : held;
        return happened.Takes ? rest.Add(happened) : rest;
    }

    /// <summary>A notifier of which every callback is a step, so that its callers are seen.</summary>
    private sealed class Listener(KernelModel kernel, Mm mm) : MmuNotifierSubscription(kernel, mm, "listener")
    {
        private readonly Word _word = kernel.Machine.NewWord("listener");

        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            await cpu.Load(_word);
            return true;
        }

        public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range) => await cpu.Load(_word);

        public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range) => await cpu.Load(_word);

        public override async Proc Release(Cpu cpu) => await cpu.Load(_word);
    }
}
