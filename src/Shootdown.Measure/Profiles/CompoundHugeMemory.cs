using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// Huge pages on a machine of real size: one folio of 512 frames, which goes into a gather as one entry, and faults that map one where
/// the address space asked for it (MADV_HUGEPAGE).
/// </summary>
internal sealed class CompoundHugeMemory(KernelModel kernel) : HugeMemory(kernel)
{
    private readonly HashSet<(int Mm, int Page)> _wanted = [];
    private readonly Dictionary<(int Mm, int Page), int> _deposited = [];

    /// <summary>madvise(MADV_HUGEPAGE): faults of these pages map huge ones.</summary>
    internal void Want(Mm mm, int first, int count)
    {
        for (int page = first; page < first + count; page += Span)
        {
            _wanted.Add((mm.Index, page / Span));
        }
    }

    /// <summary>Faults on the huge page of a page map small ones again.</summary>
    internal void Unwant(Mm mm, int page) => _wanted.Remove((mm.Index, page / Span));

    /// <inheritdoc/>
    public override Proc<bool> HandleHugePmd(Cpu cpu, Mm mm, int page, bool write, bool mayWrite)
    {
        ArgumentNullException.ThrowIfNull(mm);
        return _wanted.Count > 0 && _wanted.Contains((mm.Index, page / Span))
            ? HandleWantedHugePmd(cpu, mm, page, write, mayWrite) : base.HandleHugePmd(cpu, mm, page, write, mayWrite);
    }

    /// <inheritdoc/>
    public override async Proc SplitHugePmd(Cpu cpu, Mm mm, int page)
    {
        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, mm, page, 1);
        Pte entry = await cpu.EntryRead(pmd, page, "pmdp_get");
        await base.SplitHugePmd(cpu, mm, page);
        if (entry.Huge)
        {
            Machine.Timed!.Tables.SplitHuge(entry.Frame);
        }
    }

    /// <inheritdoc/>
    public override async Proc PgtableTransHugeDeposit(Cpu cpu, Mm mm, int page, int table)
    {
        ArgumentNullException.ThrowIfNull(mm);
        _deposited.Add((mm.Index, page / Span), table);
    }

    /// <inheritdoc/>
    public override async Proc<int> PgtableTransHugeWithdraw(Cpu cpu, Mm mm, int page)
    {
        ArgumentNullException.ThrowIfNull(mm);
        bool found = _deposited.Remove((mm.Index, page / Span), out int table);
        await cpu.Assert(found, "a table was deposited for the huge page");
        return table;
    }

    /// <summary>A huge page is one folio: what maps it as a whole is not counted.</summary>
    protected override bool CountsSmallFrames => false;

    /// <summary>mm/memory.c: the part of <c>__handle_mm_fault</c> that calls <c>create_huge_pmd</c>, where nothing is mapped yet.</summary>
    private async Proc<bool> HandleWantedHugePmd(Cpu cpu, Mm mm, int page, bool write, bool mayWrite)
    {
        PageTable pmd = await Kernel.PageWalk.TableAlloc(cpu, mm, page, 1);
        if (pmd.Index >= 0 && (await cpu.EntryRead(pmd, page, "pmdp_get")).IsNone)
        {
            await DoHugePmdAnonymousPage(cpu, mm, pmd, page);
            return true;
        }

        return await base.HandleHugePmd(cpu, mm, page, write, mayWrite);
    }

    /// <summary>mm/huge_memory.c: <c>__do_huge_pmd_anonymous_page</c>.</summary>
    private async Proc DoHugePmdAnonymousPage(Cpu cpu, Mm mm, PageTable pmd, int page)
    {
        int frame = await cpu.AllocHugeFrames(page, Span);
        await cpu.Assert(frame >= 0, "a huge page is free");
        int table = await cpu.AllocTable(mm.Space, 0, page);
        await cpu.Assert(table >= 0, "a page-table page is free");
        await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
        await PgtableTransHugeDeposit(cpu, mm, page, table);
        await cpu.EntryStore(pmd, page, Pte.Leaf(frame, write: true, dirty: true).With(Pte.HugeBit), "set_pmd_at");
        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
    }
}
