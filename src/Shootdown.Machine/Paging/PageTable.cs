namespace Shootdown.Machine;

/// <summary>
/// A page table as kernel code names it: which table, at which level, for which pages. One word, because kernel paths hand it over at
/// every step of a walk.
/// </summary>
public readonly record struct PageTable
{
    private const int LevelShift = 32;
    private const int IndexShift = 35;
    private const int LevelMax = (1 << (IndexShift - LevelShift)) - 1;
    private const int IndexMax = (1 << (63 - IndexShift)) - 1;
    private readonly long _packed;

    /// <summary>Names a table.</summary>
    /// <param name="index">Number of the page-table page, up to 2^28 - 1; negative if there is none.</param>
    /// <param name="level">0 for a table of leaf entries (PTEs), up to 7.</param>
    /// <param name="basePage">First virtual page that it maps; not negative.</param>
    /// <exception cref="ProcRuleException">One of them is out of range.</exception>
    public PageTable(int index, int level, int basePage)
    {
        if (index > IndexMax || (uint)level > LevelMax || basePage < 0)
        {
            throw OutOfRange(index, level, basePage);
        }

        _packed = ((long)index << IndexShift) | ((long)level << LevelShift) | (uint)basePage;
    }

    /// <summary>Number of the page-table page; negative if there is none.</summary>
    public int Index => (int)(_packed >> IndexShift);

    /// <summary>0 for a table of leaf entries (PTEs).</summary>
    public int Level => (int)(_packed >> LevelShift) & LevelMax;

    /// <summary>First virtual page that it maps.</summary>
    public int BasePage => (int)_packed;

    private static ProcRuleException OutOfRange(int index, int level, int basePage) => new(
        $"no page table has number {index}, level {level} and first page {basePage}: at most {IndexMax}, 0 to {LevelMax}, from 0");
}
