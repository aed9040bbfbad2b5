using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Flushes of arm64 (arch/arm64/include/asm/tlbflush.h): no IPIs, no mask, no generations. An invalidation names an
/// ASID and goes to the TLBs of all CPUs; whatever they run now, entries of other ASIDs stay.
/// </summary>
/// <remarks>
/// <c>DSB ISHST</c> is a full barrier here, and the invalidation is one step with the <c>DSB ISH</c> behind it.
/// </remarks>
public class Arm64TlbFlush(KernelModel kernel) : TlbFlush(kernel)
{
    /// <summary>
    /// arch/arm64/include/asm/tlbflush.h: <c>__flush_tlb_range</c>; <c>flush_tlb_page</c> is a range of one page. Only
    /// the last level, unless tables are freed.
    /// </summary>
    public override async Proc FlushTlbMmRange(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
    {
        await cpu.FullBarrier("dsb(ishst)");
        int asid = await Asid(cpu, mm);
        if (range.IsAll)
        {
            await cpu.TlbiAsid(asid);
            return;
        }

        for (int page = range.Start; page < range.End; page += Machine.Paging.SpanOf(strideLevel))
        {
            await cpu.TlbiPage(asid, page, lastLevel: !freedTables);
        }
    }

    /// <summary>
    /// arch/arm64/include/asm/tlbflush.h: <c>__flush_tlb_kernel_pgtable</c>'s sibling <c>__flush_tlb_pgtable</c> (4.0
    /// to 4.19): what walk caches hold of one unhooked table.
    /// </summary>
    public virtual async Proc FlushTlbPgtable(Cpu cpu, Mm mm, int page)
    {
        await cpu.FullBarrier("dsb(ishst)");
        await cpu.TlbiPage(await Asid(cpu, mm), page, lastLevel: false);
    }

    /// <summary>
    /// arch/arm64/include/asm/mmu.h: <c>ASID</c>. Read behind the barrier that makes the changed entry visible: who
    /// gives the address space another ASID afterwards, and walks under it, finds the new entry.
    /// </summary>
    public virtual async Proc<int> Asid(Cpu cpu, Mm mm)
        => Arm64Context.AsidOf(await cpu.Load(mm.ContextId, weight: StepWeight.Key));
}
