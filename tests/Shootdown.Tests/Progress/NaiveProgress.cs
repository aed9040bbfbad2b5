using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Progress;

/// <summary>
/// Livelocks by the definition: from every state, all walks that lead back to it, each with a record of who could move and who did. No
/// components, no order of states.
/// </summary>
/// <param name="HasLivelock">True if some fair walk leads back to a state in which a program must still end.</param>
/// <param name="HasCycle">True if any walk leads back to such a state.</param>
/// <param name="States">Reachable states.</param>
internal sealed record NaiveProgress(bool HasLivelock, bool HasCycle, long States)
{
    private const int StatesMax = 400;

    /// <summary>Null if the model is too large.</summary>
    internal static NaiveProgress? Of(CheckModel model)
    {
        List<Place>? places = Reach(model);
        if (places is null)
        {
            return null;
        }

        bool hasCycle = false;
        for (int start = 0; start < places.Count; start++)
        {
            if (model.Machine.Agents.Any(agent => !agent.MayStop && !places[start].Ended[agent.Index])
                && LeadsBack(places, start, ref hasCycle))
            {
                return new NaiveProgress(true, true, places.Count);
            }
        }

        return new NaiveProgress(false, hasCycle, places.Count);
    }

    /// <summary>True if a fair walk leads from a state back to it.</summary>
    private static bool LeadsBack(List<Place> places, int start, ref bool hasCycle)
    {
        int agents = places[start].Ended.Length;
        var first = (At: start, Due: Enumerable.Range(0, agents).Aggregate(0L, (due, agent) => Seen(due, places[start], agent)));
        var known = new HashSet<(int, long)> { first };
        var open = new Stack<(int At, long Due)>([first]);
        while (open.TryPop(out (int At, long Due) walk))
        {
            foreach ((int agent, int to) in places[walk.At].Steps)
            {
                long due = Enumerable.Range(0, agents).Aggregate(walk.Due | Moved(agent), (sum, other) => Seen(sum, places[to], other));
                hasCycle |= to == start;
                if (to == start && Enumerable.Range(0, agents).All(other => IsFair(due, other)))
                {
                    return true;
                }

                if (known.Add((to, due)))
                {
                    open.Push((to, due));
                }
            }
        }

        return false;
    }

    private static long Moved(int agent) => 1L << (3 * agent);

    private static long Seen(long due, Place place, int agent)
        => due | (place.CanMove[agent] ? 0 : 2L << (3 * agent)) | (place.IsTurn[agent] ? 4L << (3 * agent) : 0);

    /// <summary>It moved, or it could not move somewhere and it was never its turn: no lock that it waits for was free, no interrupt taken.</summary>
    private static bool IsFair(long due, int agent)
    {
        long own = (due >> (3 * agent)) & 7;
        return (own & 1) != 0 || ((own & 2) != 0 && (own & 4) == 0);
    }

    private static List<Place>? Reach(CheckModel model)
    {
        var state = new MachineState(model.Machine);
        StepRunner.RunPrologues(state);
        var numbers = new Dictionary<(ulong, ulong), int>();
        var places = new List<Place>();
        var snapshots = new List<(ulong[] Words, LocalState[] Locals)>();
        NumberOf();
        for (int i = 0; i < places.Count && places.Count <= StatesMax; i++)
        {
            foreach (Agent agent in model.Machine.Agents)
            {
                state.Restore(snapshots[i].Words, snapshots[i].Locals);
                int ways = state.AlternativesOf(agent);
                for (int way = 0; way < ways; way++)
                {
                    state.Restore(snapshots[i].Words, snapshots[i].Locals);
                    StepRunner.Step(state, agent.Index, way);
                    places[i].Steps.Add((agent.Index, NumberOf()));
                }
            }
        }

        return places.Count > StatesMax ? null : places;

        int NumberOf()
        {
            if (!numbers.TryGetValue((state.HashLow, state.HashHigh), out int number))
            {
                number = places.Count;
                numbers.Add((state.HashLow, state.HashHigh), number);
                snapshots.Add((state.Words.ToArray(), state.Locals.ToArray()));
                places.Add(Place.Of(state));
            }

            return number;
        }
    }

    private sealed record Place(bool[] CanMove, bool[] IsTurn, bool[] Ended, List<(int Agent, int To)> Steps)
    {
        internal static Place Of(MachineState state)
        {
            bool[] canMove = [.. state.Machine.Agents.Select(agent => state.AlternativesOf(agent) > 0)];
            Operation?[] next = [.. state.Machine.Agents.Select(agent => state.LocalOf(agent.Index).Operation)];
            return new Place(canMove, [.. next.Select((operation, i) => canMove[i] && operation!.IsServedInTurn)],
                [.. next.Select(operation => operation is null)], []);
        }
    }
}
