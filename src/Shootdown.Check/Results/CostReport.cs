using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// What runs cost (P-cost): the least and the most of every counter over all runs that were explored to their end. Exact
/// only if the check passed; after a violation or a limit it covers the runs that ended before.
/// </summary>
/// <param name="Rows">The whole run first, then every operation, if the check tells them apart.</param>
public sealed record CostReport(IReadOnlyList<CostRow> Rows)
{
    /// <summary>What the whole run costs; null if no run has ended.</summary>
    public CostRow? Run => Rows.Count == 0 ? null : Rows[0];

    /// <summary>What the operation on a CPU costs; null if operations are not told apart or no run has ended.</summary>
    public CostRow? Of(int cpu) => Rows.FirstOrDefault(row => row.Cpu == cpu);
}

/// <summary>The counters of a run, or of one operation of it.</summary>
/// <param name="Operation">The role of the task that caused the costs; empty for the whole run.</param>
/// <param name="Cpu">The CPU of that task; -1 for the whole run.</param>
/// <param name="Kinds">By <see cref="CostKind"/>.</param>
/// <param name="Calls">Calls of the functions that were named, by name.</param>
public sealed record CostRow(
    string Operation, int Cpu, IReadOnlyList<CostRange> Kinds, IReadOnlyDictionary<string, CostRange> Calls)
{
    /// <summary>The range of one counter.</summary>
    public CostRange this[CostKind kind] => Kinds[(int)kind];
}

/// <summary>The least and the most over all runs.</summary>
/// <param name="Min">The least.</param>
/// <param name="Max">The most.</param>
public readonly record struct CostRange(long Min, long Max)
{
    /// <summary>The range of a counter that is higher by this much in every run.</summary>
    public CostRange Plus(long more) => new(Min + more, Max + more);

    /// <summary><c>2</c>, or <c>1..3</c>.</summary>
    public override string ToString() => Min == Max ? $"{Min}" : $"{Min}..{Max}";
}
