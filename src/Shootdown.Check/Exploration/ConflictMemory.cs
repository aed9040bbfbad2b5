namespace Shootdown.Check;

/// <summary>
/// Remembers for a pass which steps conflict with which futures: what conflicts once does so for good, and what does not is relied on
/// (see <see cref="Reliance"/>). Not thread-safe.
/// </summary>
internal sealed class ConflictMemory(ReductionTable table, Reliance reliance)
{
    private const byte Never = 1;
    private const byte Maybe = 2;
    private readonly int _columns = table.Barriers.Count + 1;
    private byte[]?[] _rows = [];

    /// <summary>True if a step conflicts with a future, or with its part before a barrier.</summary>
    internal bool MayConflict(ReductionTable.Entry step, ReductionTable.Entry future, int barrier)
    {
        int row = (step.Id * _columns) + barrier + 1;
        if (row < _rows.Length && _rows[row] is { } known && future.Id < known.Length && known[future.Id] != 0)
        {
            return known[future.Id] == Maybe;
        }

        bool conflicts = step.Operation.ConflictsWith(barrier == Reliance.Ever ? future.Future : future.FutureBefore[barrier]);
        if (!conflicts)
        {
            reliance.AddNoConflict(future, barrier, step);
        }

        Cell(row, future.Id) = conflicts ? Maybe : Never;
        return conflicts;
    }

    private ref byte Cell(int row, int column)
    {
        if (row >= _rows.Length)
        {
            Array.Resize(ref _rows, Math.Max(row + 1, Math.Max(128 * _columns, _rows.Length * 2)));
        }

        ref byte[]? cells = ref _rows[row];
        if (cells is null || column >= cells.Length)
        {
            Array.Resize(ref cells, Math.Max(column + 1, 2 * (cells?.Length ?? 64)));
        }

        return ref cells[column];
    }
}
