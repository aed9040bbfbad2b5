using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-life: no access and no walk reaches a frame or a page table after it was freed or given to someone else; kernel code takes no lock of a
/// table that was freed, and uses no entry of one.
/// </summary>
/// <remarks>
/// Without <paramref name="knowledge"/> an access must really happen. With it, the free itself is judged: nobody may be left
/// who can reach the frame without flushing first, and no walker that has a pointer to the table. That finds the same without
/// a program that accesses, for CPUs of which the kernel's words say that they run user code; of the others
/// (lazy, in the middle of a switch) the access is judged as before.
/// </remarks>
/// <param name="knowledge">Says which CPUs flush before their next access; null to judge accesses only.</param>
public sealed class PLife(IFlushKnowledge? knowledge = null) : Property
{
    private MachineModel _machine = null!;

    /// <summary>
    /// True where the kernel copies pages that it has frozen at no references itself (khugepaged, pages of files): then a page counts as freed once
    /// the allocator has it.
    /// </summary>
    public bool CopiesFrozen { get; init; }

    /// <inheritdoc/>
    public override string Id => "P-life";

    /// <inheritdoc/>
    public override string JudgementText => "accesses and walks";

    /// <inheritdoc/>
    public override void OnAccess(MachineState state, in AccessEvent access)
    {
        Judge(state);
        if (access.Translation.Dangling)
        {
            string how = access.IsStale ? $"the stale {access.Entry} of" : "the page-table entry of";
            Report(state, $"{access.Who} {(access.IsWrite ? "writes" : "reads")} frame {access.Translation.Frame} through {how} "
                + $"{Paging.AddressText(access.Page)} after the frame was freed.");
        }
    }

    /// <inheritdoc/>
    public override void OnDeviceAccess(MachineState state, in DeviceAccess access)
    {
        Judge(state);
        if (!access.IsLive)
        {
            Report(state, $"The {access.Device} {(access.IsWrite ? "writes" : "reads")} frame {access.Frame} after the frame was freed.");
        }
    }

    /// <summary>The kernel itself reads a page to copy it: it must have a reference.</summary>
    public override void OnFrameCopied(MachineState state, Cpu cpu, int from, int to)
    {
        Judge(state);
        bool held = CopiesFrozen ? TlbInspector.IsAllocated(state, from) : state.Read(_machine.Paging.Frames[from].RefCount.Address) != 0;
        if (!held)
        {
            Report(state, $"{cpu} copies frame {from} after the frame was freed.");
        }
    }

    /// <inheritdoc/>
    public override void OnFramesEqual(MachineState state, Cpu cpu, int from, int to)
    {
    }

    /// <inheritdoc/>
    public override void AddCopyFootprint(Footprint footprint, int from, int to)
    {
        if (CopiesFrozen)
        {
            TlbInspector.AddAllocatedFootprint(footprint, _machine, from);
        }
        else
        {
            footprint.Read(_machine.Paging.Frames[from].RefCount.Address);
        }
    }

    /// <inheritdoc/>
    public override void OnLocklessRead(MachineState state, Cpu cpu, int page, int table, string? fate)
    {
        Judge(state);
        if (fate is not null)
        {
            Report(state, $"{cpu} reads an entry of page-table page {table} for {Paging.AddressText(page)} after the table {fate}.");
        }
    }

    /// <inheritdoc/>
    public override void OnFreedTableUsed(MachineState state, Cpu cpu, int table, string use)
    {
        Judge(state);
        Report(state, $"{cpu} {use} of page-table page {table} after the table was freed.");
    }

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame)
    {
        if (knowledge is null)
        {
            return;
        }

        Judge(state);
        foreach (AddressSpace space in _machine.Paging.Spaces)
        {
            for (int page = 0; page < _machine.Paging.PageCount; page++)
            {
                if (TlbInspector.IsMapped(state, space, page, frame))
                {
                    Report(state, $"Frame {frame} is freed while the page tables still map it at {Paging.AddressText(page)}.");
                    return;
                }

                JudgeCaches(state, space, page, frame);
            }
        }
    }

    /// <inheritdoc/>
    public override void OnTableFreed(MachineState state, Cpu cpu, int table)
    {
        foreach (Cpu walker in knowledge is null ? [] : _machine.Translators)
        {
            Judge(state);
            if (!knowledge!.IsSwitching(state, walker) && TlbInspector.MayWalk(state, walker, table))
            {
                Report(state, $"Page-table page {table} is freed while the paging-structure cache of {walker} may still point to it.");
            }
        }
    }

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame)
    {
        for (int page = 0; knowledge is not null && page < _machine.Paging.PageCount; page++)
        {
            TlbInspector.AddFootprint(footprint, _machine, page);
            footprint.ReadAll(knowledge.Words);
        }
    }

    /// <inheritdoc/>
    public override void AddTableFootprint(Footprint footprint, int table)
    {
        if (knowledge is not null)
        {
            TlbInspector.AddWalkFootprint(footprint, _machine);
            footprint.ReadAll(knowledge.Words);
        }
    }

    /// <inheritdoc/>
    public override void OnWalk(MachineState state, Cpu cpu) => Judge(state);

    /// <inheritdoc/>
    public override void OnWalkOfFreedTable(MachineState state, Cpu cpu, int page, int table)
    {
        Judge(state);
        state.Record?.Note($"[ walk of {Paging.AddressText(page)} reads freed table {table} ]");
        Report(state, $"The page walker of {cpu} reads page-table page {table} for {Paging.AddressText(page)} after the page was freed.");
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine) => _machine = machine;

    private void JudgeCaches(MachineState state, AddressSpace space, int page, int frame)
    {
        foreach ((SoftwareMmu mmu, Translation held) in TlbInspector.HeldBySecondaries(state, space, page))
        {
            if (held.Frame == frame)
            {
                Report(state, $"Frame {frame} is freed while {mmu} may still reach it at {Paging.AddressText(page)}.");
            }
        }

        foreach (Cpu holder in _machine.Translators)
        {
            if (!knowledge!.WillFlushFirst(state, holder)
                && TlbInspector.Usable(state, holder, space, page).Any(cached => cached.Frame == frame))
            {
                Report(state, $"Frame {frame} is freed while {holder} may still reach it through a stale TLB entry of {Paging.AddressText(page)}.");
            }
        }
    }
}
