using System.Numerics;

namespace Shootdown.Machine;

/// <summary>The allocator hands out the lowest free frame that may back a page, with one reference.</summary>
internal sealed class FrameAllocOperation(Cpu cpu, int page) : Operation
{
    public override string Text => "alloc_page()";

    public override StepWeight Weight => StepWeight.Context;

    public override long Execute(MachineState state, int alternative)
    {
        Paging paging = cpu.Machine.Paging;
        for (int frame = 0; frame < paging.Frames.Count; frame++)
        {
            if (paging.IsFrameOfPage(frame, page) && state.Read(paging.FrameLifeAddress(frame)) == 0)
            {
                state.Write(paging.FrameLifeAddress(frame), 1);
                state.Write(paging.FrameContentAddress(frame), 0);
                state.Write(paging.Frames[frame].RefCount.Address, 1);
                state.Write(paging.Frames[frame].MapCount.Address, 0);
                state.Record?.Note($"frame {frame}");
                return frame;
            }
        }

        return -1;
    }

    public override long ResultUnder(Permutation permutation, long result) => permutation.FrameOf((int)result);

    public override void AddFootprint(Footprint footprint)
    {
        Paging paging = cpu.Machine.Paging;
        for (int frame = 0; frame < paging.Frames.Count; frame++)
        {
            if (paging.IsFrameOfPage(frame, page))
            {
                footprint.Write(paging.FrameLifeAddress(frame));
                footprint.Write(paging.FrameContentAddress(frame));
                footprint.Write(paging.Frames[frame].RefCount.Address);
                footprint.Write(paging.Frames[frame].MapCount.Address);
            }
        }
    }
}

/// <summary>Frames go back to the allocator, whatever references there are: for memory that has no reference counts.</summary>
internal sealed class FrameFreeOperation(Cpu cpu, ulong mask, bool reclaimed, string function) : Operation
{
    public override string Text => $"{function}({string.Join(", ", FrameEnd.Numbers(mask).Select(frame => $"frame {frame}"))})";

    public override StepWeight Weight => StepWeight.Key;

    public override long Execute(MachineState state, int alternative)
    {
        Paging paging = cpu.Machine.Paging;
        for (ulong rest = mask; rest != 0; rest &= rest - 1)
        {
            int frame = BitOperations.TrailingZeroCount(rest);
            if (state.Read(paging.FrameLifeAddress(frame)) == 0)
            {
                state.Violation ??= new Violation("P-life", $"Frame {frame} is freed twice.");
            }

            FrameEnd.Free(state, cpu, frame, reclaimed);
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        foreach (int frame in FrameEnd.Numbers(mask))
        {
            FrameEnd.AddFootprint(footprint, cpu, frame);
        }
    }
}

/// <summary>A frame's contents go to its backing store, as they are now.</summary>
internal sealed class FrameWriteOperation(Cpu cpu, int frame, string function) : Operation
{
    public override string Text => $"{function}(frame {frame})";

    public override StepWeight Weight => StepWeight.Key;

    public override long Execute(MachineState state, int alternative)
    {
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.OnFrameWritten(state, cpu, frame);
        }

        return unchecked((long)state.Read(cpu.Machine.Paging.FrameContentAddress(frame)));
    }

    public override void AddFootprint(Footprint footprint)
    {
        footprint.Read(cpu.Machine.Paging.FrameContentAddress(frame));
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.AddFrameFootprint(footprint, frame);
        }
    }
}

/// <summary>The allocator hands out the lowest free page-table page, with empty entries.</summary>
internal sealed class TableAllocOperation(Cpu cpu, AddressSpace space, int level, int page) : Operation
{
    public override string Text => level == 0 ? "pte_alloc_one()" : "pmd_alloc_one()";

    public override StepWeight Weight => StepWeight.Context;

    public override long Execute(MachineState state, int alternative)
    {
        Paging paging = cpu.Machine.Paging;
        for (int table = 0; table < paging.TableCount; table++)
        {
            if (state.Read(paging.TableLifeAddress(table)) == 0)
            {
                for (int i = 0; i < paging.EntriesPerTable; i++)
                {
                    state.Write(paging.EntryAddress(table, 0, i), 0);
                }

                paging.SetPlace(state, table, space, paging.BaseOf(page, level + 1));
                state.Write(paging.TableLifeAddress(table), (ulong)level + 1);
                state.Record?.Note($"table {table}");
                return table;
            }
        }

        return -1;
    }

    public override void AddFootprint(Footprint footprint)
    {
        Paging paging = cpu.Machine.Paging;
        footprint.WriteRange(paging.TableLifeAddress(0), paging.TableCount);
        paging.AddSetPlaceFootprint(footprint);
        footprint.WriteRange(paging.EntryAddress(0, 0, 0), paging.TableCount * paging.EntriesPerTable);
    }
}

/// <summary>A page-table page goes back to the allocator: cached pointers to it dangle from here on.</summary>
internal sealed class TableFreeOperation(Cpu cpu, int table, string function) : Operation
{
    public override string Text => $"{function}(table {table})";

    public override StepWeight Weight => StepWeight.Key;

    public override long Execute(MachineState state, int alternative)
    {
        Paging paging = cpu.Machine.Paging;
        if (state.Read(paging.TableLifeAddress(table)) == 0)
        {
            state.Violation ??= new Violation("P-life", $"Page-table page {table} is freed twice.");
        }

        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.OnTableFreed(state, cpu, table);
        }

        state.Write(paging.TableLifeAddress(table), 0);
        paging.Tlb.TableFreed(state, table);
        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        Paging paging = cpu.Machine.Paging;
        footprint.Write(paging.TableLifeAddress(table));
        paging.Tlb.AddTableFreeFootprint(footprint);
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.AddTableFootprint(footprint, table);
        }
    }
}
