using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>Collects the counters of final states: one a worker, put together at the end of a pass.</summary>
internal sealed class CostTally
{
    private readonly CostCounters _costs;
    private readonly int _rows;
    private readonly long[] _least;
    private readonly long[] _most;
    private bool _isEmpty = true;

    internal CostTally(CostCounters costs)
    {
        _costs = costs;
        _rows = costs.ByOperation ? costs.Machine.Cpus.Count + 1 : 1;
        _least = new long[_rows * costs.Count];
        _most = new long[_rows * costs.Count];
        Array.Fill(_least, long.MaxValue);
    }

    /// <summary>Adds a final state.</summary>
    internal void Add(MachineState state)
    {
        _isEmpty = false;
        for (int i = 0; i < _least.Length; i++)
        {
            long value = _costs.ValueOf(state, i % _costs.Count, (i / _costs.Count) - 1);
            _least[i] = Math.Min(_least[i], value);
            _most[i] = Math.Max(_most[i], value);
        }
    }

    /// <summary>The report of a pass; null if nothing was counted.</summary>
    internal static CostReport? Report(MachineModel machine, IReadOnlyList<CostTally> tallies)
    {
        if (machine.Costs is not { } costs)
        {
            return null;
        }

        CostTally[] filled = [.. tallies.Where(tally => !tally._isEmpty)];
        return filled.Length == 0 ? new CostReport([]) : new CostReport([.. Enumerable.Range(0, filled[0]._rows)
            .Select(row => Row(machine, costs, filled, row))]);
    }

    private static CostRow Row(MachineModel machine, CostCounters costs, CostTally[] tallies, int row)
    {
        CostRange[] ranges = [.. Enumerable.Range(row * costs.Count, costs.Count)
            .Select(i => new CostRange(tallies.Min(tally => tally._least[i]), tallies.Max(tally => tally._most[i])))];
        int kinds = costs.Count - costs.Functions.Length;
        IEnumerable<string> roles = machine.Agents
            .Where(agent => agent.Kind == AgentKind.Task && agent.Cpu?.Index == row - 1).Select(agent => agent.Name);
        return new CostRow(
            row == 0 ? string.Empty : string.Join(" + ", roles),
            row - 1,
            ranges[..kinds],
            costs.Functions.Select((name, index) => (name, index)).ToDictionary(pair => pair.name, pair => ranges[kinds + pair.index]));
    }
}
