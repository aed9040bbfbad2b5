using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Who walks from a page to its entries (<c>struct rmap_walk_control</c>).</summary>
public abstract class RmapWalker(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>True if the entry is one to visit; by default any that maps the frame.</summary>
    public virtual bool Matches(Pte entry, int frame) => entry.MapsFrame && entry.Frame == frame;

    /// <summary>True if what it does to entries concerns secondary MMUs.</summary>
    public virtual bool NotifiesSecondaries => false;

    /// <summary>
    /// True if a huge entry of a file is taken away before the walk looks for small ones (<c>TTU_SPLIT_HUGE_PMD</c>); false if
    /// <see cref="RmapOnePmd"/> visits it.
    /// </summary>
    public virtual bool SplitsHugePmd => true;

    /// <summary>
    /// <c>rwc->rmap_one</c> for an entry that maps all of a huge folio, with the lock of the table that holds it.
    /// </summary>
    public virtual Proc<ulong> RmapOnePmd(Cpu cpu, Mm mm, PageTable pmd, int page, Pte entry, ulong argument)
        => throw new ProcRuleException($"{GetType().Name} splits huge entries and visits none");

    /// <summary>
    /// <c>rwc->rmap_one</c>: visits one entry, with the table's lock held; the results of all visits are or-ed.
    /// </summary>
    public abstract Proc<ulong> RmapOne(Cpu cpu, Mm mm, PageTable table, int page, Pte entry, ulong argument);
}
