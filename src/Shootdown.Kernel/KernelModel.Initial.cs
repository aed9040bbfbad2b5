using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <content>The initial state: what is mapped, cached and loaded before programs start.</content>
public sealed partial class KernelModel
{
    /// <summary>Initial state: a page of a file is in the page cache.</summary>
    public void BuildCached(FileMapping file, int index, int frame)
    {
        ArgumentNullException.ThrowIfNull(file);
        Folio folio = Folios[frame];
        Machine.SetInitial(file.Pages[index].Address, (ulong)frame + 1);
        Machine.SetInitial(folio.Mapping.Address, FolioMapping.Of(file, index).Bits);
        Machine.Paging.BuildFrame(frame);
        AddInitial(folio.Frame.RefCount, 1);
    }

    /// <summary>
    /// Initial state: a frame is mapped at a page. Memory of a driver gets no reference. Anonymous memory that may be
    /// written belongs to the process alone.
    /// </summary>
    public void BuildMapping(Mm mm, int page, Pte leaf)
    {
        ArgumentNullException.ThrowIfNull(mm);
        Machine.Paging.BuildMapping(mm.Space, page, Written(leaf));
        FrameWords frame = Machine.Paging.Frames[leaf.Frame];
        if (CountsMappings(mm, page))
        {
            AddInitial(frame.MapCount, 1);
        }

        if (leaf.Write && mm.FileAreaOf(page) is null)
        {
            Machine.SetInitial(Folios[leaf.Frame].AnonExclusive.Address, 1);
        }

        if (mm.FileAreaOf(page)?.Kind == FileAreaKind.PfnMap)
        {
            AddInitial(frame.RefCount, -1);
        }
    }

    /// <summary>What may be written was written since the last <c>clear_refs</c>, which is long ago.</summary>
    private Pte Written(Pte leaf) => Options.SoftDirty && leaf.Write ? leaf.With(Pte.SoftDirtyBit) : leaf;

    /// <summary>Initial state: the CPU runs a thread of the address space.</summary>
    public void BuildRunning(Cpu cpu, Mm mm, int asid = 0)
    {
        CpuTlbState state = TlbStates[cpu.Index];
        BuildSlot(cpu, mm, asid);
        Machine.Paging.BuildLoadedRoot(cpu, mm.Space, asid);
        Machine.SetInitial(state.LoadedMm.Address, mm.LoadedValue);
        Machine.SetInitial(state.ActiveMm.Address, mm.LoadedValue);
        Machine.SetInitial(state.LoadedAsid.Address, (ulong)asid);
        mm.CpuMask.BuildSet(cpu);
    }

    /// <summary>True if the CPU begins with the address space loaded.</summary>
    internal bool IsRunningInitially(Cpu cpu, Mm mm)
        => Machine.WordInfo(TlbStates[cpu.Index].LoadedMm.Address).Initial == mm.LoadedValue;

    /// <summary>
    /// Initial state: the CPU runs a kernel thread and keeps the address space's root loaded (lazy TLB mode).
    /// </summary>
    public void BuildLazy(Cpu cpu, Mm mm, int asid = 0)
    {
        BuildRunning(cpu, mm, asid);
        Machine.SetInitial(TlbStates[cpu.Index].IsLazy.Address, 1);
    }

    /// <summary>Initial state: the CPU ran the address space before and kept its ASID, up to date.</summary>
    public void BuildSlot(Cpu cpu, Mm mm, int asid)
    {
        CpuTlbState state = TlbStates[cpu.Index];
        Machine.SetInitial(state.SlotCtxId[asid].Address, mm.CtxId);
        Machine.SetInitial(state.SlotTlbGen[asid].Address, 1);
        ulong next = Math.Max(Machine.WordInfo(state.NextAsid.Address).Initial, (ulong)asid + 1);
        Machine.SetInitial(state.NextAsid.Address, next);
    }

    /// <summary>
    /// Initial state: a huge page at the pages of one entry of level 1. The huge zero page has a reference of the shrinker.
    /// </summary>
    public void BuildHugeMapping(Mm mm, int page, Pte leaf)
    {
        ArgumentNullException.ThrowIfNull(mm);
        var pmd = new PageTable(mm.Space.RootTable, 1, 0);
        if (Options.HugeCollapse)
        {
            Machine.SetInitial(mm.Deposited[page].Address, (ulong)Machine.Paging.BuildPath(mm.Space, page).Index + 1);
        }

        Machine.SetInitial(Machine.Paging.EntryAddressOf(pmd, page), Written(leaf).With(Pte.HugeBit).Bits);
        for (int i = 0; i < Machine.Paging.SpanOf(1); i++)
        {
            Machine.Paging.BuildFrame(leaf.Frame + i);
            AddInitial(Folios[leaf.Frame + i].Frame.RefCount, leaf.Frame == HugeZeroFrame ? 2 : 1);
            if (Options.AnonFolios)
            {
                AddInitial(Folios[leaf.Frame + i].Frame.MapCount, 1);
                Machine.SetInitial(Folios[leaf.Frame + i].AnonExclusive.Address, leaf.Write ? 1UL : 0);
            }
        }
    }

    /// <summary>
    /// Initial state: a huge folio of a file is in the page cache, and one entry maps it, writable: dirty, as a store leaves it, or clean,
    /// as a load maps shmem. Needs <see cref="KernelOptions.HugeFiles"/>.
    /// </summary>
    /// <param name="area">The area; the pages are the first huge page's worth of it.</param>
    /// <param name="frame">First frame.</param>
    /// <param name="dirty">True if it was stored to.</param>
    public void BuildHugeFile(FileArea area, int frame, bool dirty)
    {
        ArgumentNullException.ThrowIfNull(area);
        var pmd = new PageTable(area.Mm.Space.RootTable, 1, 0);
        Machine.SetInitial(Machine.Paging.EntryAddressOf(pmd, area.First), Written(Pte.Leaf(frame, true, dirty)).With(Pte.HugeBit).Bits);
        AddInitial(Folios[frame].Frame.MapCount, 1);
        Machine.SetInitial(Folios[frame].Frame.Dirty.Address, dirty ? 1UL : 0);
        for (int i = 0; i < Machine.Paging.SpanOf(1); i++)
        {
            BuildCached(area.File, area.Offset + i, frame + i);
            AddInitial(Folios[frame + i].Frame.RefCount, 1);
            Machine.SetInitial(Folios[frame + i].CompoundHead.Address, (ulong)frame + 1);
        }
    }

    /// <summary>
    /// Initial state: all subscriptions of an address space are on a list that its exit empties (<c>mmu_notifier_release</c>). Make it behind the
    /// subscriptions. Nothing to do if programs change the list anyway.
    /// </summary>
    public void BuildNotifiersUntilExit(Mm mm)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.NotifierList is null && mm.Subscriptions.Count > 0)
        {
            BuildNotifierList(mm, (1UL << mm.Subscriptions.Count) - 1);
        }
    }

    /// <summary>The list of notifiers of an address space whose programs change it.</summary>
    internal void BuildNotifierList(Mm mm, ulong registered)
    {
        RegistersNotifiers = true;
        _notifierSrcu ??= Machine.NewSrcu("srcu");
        mm.NotifierList ??= new NotifierListWords(Machine, mm.Name, _notifierSrcu);
        AddInitial(mm.NotifierList.List, (long)registered);
    }

    private void AddInitial(Word word, long delta)
        => Machine.SetInitial(word.Address, Machine.WordInfo(word.Address).Initial + unchecked((ulong)delta));
}
