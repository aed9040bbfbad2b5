namespace Shootdown.Machine;

/// <content>Initial states that only some scenarios need; while the machine is built.</content>
public sealed partial class Paging
{
    /// <summary>
    /// Initial state: the CPU ran the address space before, under an ASID that it does not run now, and its TLB may hold
    /// what a page maps.
    /// </summary>
    public void BuildCached(Cpu cpu, AddressSpace space, int asid, int page)
    {
        var leaf = new Pte(Machine.WordInfo(EntryAddress(BuildPath(space, page).Index, 0, page)).Initial);
        Machine.SetInitial(Tlb.LeafAddress(cpu.Index, asid, page), TranslationSet.Of(Translation.Of(leaf)));
    }

    /// <summary>
    /// Maps consecutive frames with one entry of the level above the lowest, in the initial state; the machine has two
    /// levels.
    /// </summary>
    public void BuildHugeMapping(AddressSpace space, int page, Pte leaf)
    {
        if (Levels != 2)
        {
            throw new ArgumentException("a huge page in the initial state needs a machine with two levels", nameof(leaf));
        }

        Machine.SetInitial(EntryAddress(space.RootTable, 1, page), leaf.With(Pte.HugeBit).Bits);
        for (int i = 0; i < SpanOf(1); i++)
        {
            BuildFrame(leaf.Frame + i);
        }
    }

    /// <summary>What the tables map a page to in the initial state, as far as it is built; none if nothing.</summary>
    public Pte InitialLeaf(AddressSpace space, int page)
    {
        ArgumentNullException.ThrowIfNull(space);
        int table = space.RootTable;
        for (int level = Levels - 1; ; level--)
        {
            var entry = new Pte(Machine.WordInfo(EntryAddress(table, level, page)).Initial);
            if (level == 0 || entry.Huge || !entry.Present)
            {
                return entry.Huge ? entry.PartOfHuge(page % SpanOf(level)) : entry;
            }

            table = entry.Frame;
        }
    }
}
