using System.Numerics;

namespace Shootdown.Machine;

/// <summary>The end of a frame's life, however it comes about.</summary>
internal static class FrameEnd
{
    /// <summary>The frame goes back to the allocator: translations that are still cached for it dangle from here on.</summary>
    internal static void Free(MachineState state, Cpu cpu, int frame, bool reclaimed)
    {
        Paging paging = cpu.Machine.Paging;
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            if (reclaimed)
            {
                monitor.OnFrameSaved(state, cpu, frame);
            }

            monitor.OnFrameFreed(state, cpu, frame);
        }

        state.Write(paging.FrameLifeAddress(frame), 0);
        state.Write(paging.FrameContentAddress(frame), 0);
        state.Write(paging.Frames[frame].Dirty.Address, 0);
        paging.Tlb.FrameFreed(state, frame);
        for (int i = 0; i < cpu.Machine.SoftwareMmus.Count; i++)
        {
            cpu.Machine.SoftwareMmus[i].FrameFreed(state, frame);
        }
    }

    internal static void AddFootprint(Footprint footprint, Cpu cpu, int frame)
    {
        Paging paging = cpu.Machine.Paging;
        footprint.Write(paging.FrameLifeAddress(frame));
        footprint.Write(paging.FrameContentAddress(frame));
        footprint.Write(paging.Frames[frame].Dirty.Address);
        paging.Tlb.AddFrameFreeFootprint(footprint, frame);
        foreach (SoftwareMmu mmu in cpu.Machine.SoftwareMmus)
        {
            mmu.AddFrameFreeFootprint(footprint);
        }

        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.AddFrameFootprint(footprint, frame);
        }
    }

    internal static IEnumerable<int> Numbers(ulong mask)
    {
        for (ulong rest = mask; rest != 0; rest &= rest - 1)
        {
            yield return BitOperations.TrailingZeroCount(rest);
        }
    }
}

/// <summary>
/// Drops one reference of every frame of a mask; those that nobody refers to any more go back to the allocator. Locked
/// instructions, so the CPU's earlier stores are visible before.
/// </summary>
internal sealed class FramePutOperation(Cpu cpu, ulong mask, string function) : Operation
{
    public override string Text => $"{function}({string.Join(", ", FrameEnd.Numbers(mask).Select(frame => $"frame {frame}"))})";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        Paging paging = cpu.Machine.Paging;
        bool freed = false;
        for (ulong rest = mask; rest != 0; rest &= rest - 1)
        {
            int frame = BitOperations.TrailingZeroCount(rest);
            int address = paging.Frames[frame].RefCount.Address;
            ulong count = state.Read(address);
            if (count == 0)
            {
                state.Violation ??= new Violation("P-life", $"Frame {frame} is freed twice.");
                continue;
            }

            state.Write(address, count - 1);
            if (count == 1)
            {
                FrameEnd.Free(state, cpu, frame, false);
            }

            freed |= count == 1;
        }

        if (state.Record is { } record && !freed)
        {
            record.Weight = StepWeight.Context;
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        foreach (int frame in FrameEnd.Numbers(mask))
        {
            footprint.Write(cpu.Machine.Paging.Frames[frame].RefCount.Address);
            FrameEnd.AddFootprint(footprint, cpu, frame);
        }
    }
}

/// <summary>Takes a reference of a frame unless it has none; the result is 1 if it was taken.</summary>
internal sealed class FrameTryGetOperation(Cpu cpu, int frame, string function) : Operation
{
    private readonly int _address = cpu.Machine.Paging.Frames[frame].RefCount.Address;

    public override string Text => $"{function}(frame {frame})";

    public override StepWeight Weight => StepWeight.Context;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        ulong count = state.Read(_address);
        state.Write(_address, count == 0 ? 0 : count + 1);
        state.Record?.Note(count == 0 ? "fails" : "succeeds");
        return count == 0 ? 0 : 1;
    }

    public override void AddFootprint(Footprint footprint)
    {
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        footprint.Write(_address);
    }
}

/// <summary>
/// Copies the contents of a frame to another one, which nobody else uses yet: one step, because a frame's data is one word.
/// </summary>
internal sealed class FrameCopyOperation(Cpu cpu, int from, int to, string function) : Operation
{
    private readonly int _from = cpu.Machine.Paging.FrameContentAddress(from);
    private readonly int _to = cpu.Machine.Paging.FrameContentAddress(to);

    public override string Text => $"{function}(frame {from} to {to})";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.StoreAlternatives(state, cpu, MemoryOrder.Relaxed);

    public override long Execute(MachineState state, int alternative)
    {
        MemoryModel model = cpu.Machine.Model;
        ulong contents = model.Load(state, cpu, _from, MemoryOrder.Relaxed, 0);
        model.Store(state, cpu, _to, contents, MemoryOrder.Relaxed);
        state.Record?.Note($"copies {contents}");
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.OnFrameCopied(state, cpu, from, to);
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        cpu.Machine.Model.AddLoadFootprint(footprint, cpu, _from);
        cpu.Machine.Model.AddStoreFootprint(footprint, cpu, _to);
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.AddCopyFootprint(footprint, from, to);
        }
    }
}

/// <summary>
/// Compares the contents of two frames: 1 if they are equal. From then on the second can stand for the first, as if it were copied from it.
/// </summary>
internal sealed class FrameCompareOperation(Cpu cpu, int frame, int other, string function) : Operation
{
    private readonly int _frame = cpu.Machine.Paging.FrameContentAddress(frame);
    private readonly int _other = cpu.Machine.Paging.FrameContentAddress(other);

    public override string Text => $"{function}(frame {frame}, frame {other})";

    public override StepWeight Weight => StepWeight.Key;

    public override long Execute(MachineState state, int alternative)
    {
        MemoryModel model = cpu.Machine.Model;
        bool equal = model.Load(state, cpu, _frame, MemoryOrder.Relaxed, 0) == model.Load(state, cpu, _other, MemoryOrder.Relaxed, 0);
        state.Record?.Note(equal ? "is true" : "is false");
        foreach (MachineMonitor monitor in equal ? cpu.Machine.Monitors : [])
        {
            monitor.OnFramesEqual(state, cpu, frame, other);
        }

        return equal ? 1 : 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        cpu.Machine.Model.AddLoadFootprint(footprint, cpu, _frame);
        cpu.Machine.Model.AddLoadFootprint(footprint, cpu, _other);
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.AddCopyFootprint(footprint, frame, other);
        }
    }
}
