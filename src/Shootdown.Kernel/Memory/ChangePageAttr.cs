using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Changing attributes of the kernel's own mapping of memory (arch/x86/mm/pat/set_memory.c). All CPUs have it loaded,
/// and it consists of huge pages; a change of a small page splits one.
/// </summary>
/// <remarks>The kernel's mapping is an address space that the CPUs have loaded; the user half does not matter.</remarks>
public class ChangePageAttr : Mechanism
{
    private readonly Spinlock _cpaLock;
    private readonly int _flushAll;

    /// <summary>Makes the lock and registers the cross-call.</summary>
    public ChangePageAttr(KernelModel kernel)
        : base(kernel)
    {
        _cpaLock = Machine.NewSpinLock("cpa_lock");
        _flushAll = Machine.Interrupts.RegisterFunction("do_flush_tlb_all", DoFlushTlbAll);
    }

    /// <summary>
    /// arch/x86/mm/pat/set_memory.c: <c>__change_page_attr_set_clr</c> for <c>set_memory_ro</c> of one page, and the
    /// flush of it at the end (<c>cpa_flush</c>).
    /// </summary>
    public virtual async Proc SetMemoryRo(Cpu cpu, Mm kernelMap, int page)
    {
        await LockCpa(cpu);
        await ChangeOne(cpu, kernelMap, page);
        await UnlockCpa(cpu);
        await FlushTlbAll(cpu);
    }

    /// <summary>
    /// arch/x86/mm/pat/set_memory.c: <c>__change_page_attr</c>: changes the small page's entry; a huge page is split
    /// first, and then it tries again.
    /// </summary>
    protected virtual async Proc ChangeOne(Cpu cpu, Mm kernelMap, int page)
    {
        PageTable above = Kernel.PageWalk.Root(kernelMap);
        Pte entry = await cpu.EntryRead(above, page, "lookup_address");
        if (entry.Huge)
        {
            entry = await SplitLargePage(cpu, kernelMap, above, page, entry);
        }

        var table = new PageTable(entry.Frame, 0, page / Machine.Paging.SpanOf(1) * Machine.Paging.SpanOf(1));
        Pte old = await cpu.EntryRead(table, page, "lookup_address");
        await cpu.EntryStore(table, page, old.Without(Pte.WriteBit), "set_pte_atomic");
    }

    /// <summary>
    /// arch/x86/mm/pat/set_memory.c: <c>__split_large_page</c>: a table of small pages that says the same as the huge
    /// page takes its place. All CPUs are flushed before anything of it is changed: no CPU may have the huge and a
    /// different small translation at a time.
    /// </summary>
    protected virtual async Proc<Pte> SplitLargePage(Cpu cpu, Mm kernelMap, PageTable above, int page, Pte huge)
    {
        int span = Machine.Paging.SpanOf(1);
        int first = page / span * span;
        int made = await cpu.AllocTable(kernelMap.Space, 0, page);
        await cpu.Assert(made >= 0, "a page-table page is free");
        var table = new PageTable(made, 0, first);
        for (int i = 0; i < span; i++)
        {
            Pte small = Pte.Leaf(huge.Frame + i, huge.Write, huge.Dirty);
            await cpu.EntryStore(table, first + i, small, "set_pte");
        }

        await cpu.EntryStore(above, page, Pte.Table(made), "__set_pmd_pte");
        await FlushAfterSplit(cpu);
        return Pte.Table(made);
    }

    /// <summary>The flush at the end of <c>__split_large_page</c>.</summary>
    protected virtual async Proc FlushAfterSplit(Cpu cpu) => await FlushTlbAll(cpu);

    /// <summary>
    /// <c>cpa_lock</c>, around looking up and changing one entry: a huge page that is being split is flushed before
    /// anybody changes another part of it.
    /// </summary>
    protected virtual async Proc LockCpa(Cpu cpu) => await cpu.SpinLock(_cpaLock);

    /// <summary>The end of <see cref="LockCpa"/>.</summary>
    protected virtual async Proc UnlockCpa(Cpu cpu) => await cpu.SpinUnlock(_cpaLock);

    /// <summary>arch/x86/mm/tlb.c: <c>flush_tlb_all</c>: every CPU, whatever it runs.</summary>
    public virtual async Proc FlushTlbAll(Cpu cpu)
    {
        CpuSet others = Machine.AllCpus.Without(cpu);
        if (!others.IsEmpty)
        {
            await cpu.SendIpi(others, _flushAll);
        }

        await cpu.FlushTlbLocal();
        if (!others.IsEmpty)
        {
            await cpu.AwaitIpiAcknowledgements();
        }
    }

    private static async Proc DoFlushTlbAll(Cpu cpu, Cpu sender) => await cpu.FlushTlbLocal();
}
