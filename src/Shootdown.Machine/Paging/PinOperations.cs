namespace Shootdown.Machine;

/// <summary>
/// Takes a reference of a frame, and with it a pin, unless it has no reference: one atomic instruction. The result is 1 if it was
/// taken.
/// </summary>
internal sealed class FrameTryPinOperation(Cpu cpu, int frame, string function) : Operation
{
    private readonly FrameWords _words = cpu.Machine.Paging.Frames[frame];

    public override string Text => $"{function}(frame {frame})";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        ulong count = state.Read(_words.RefCount.Address);
        state.Record?.Note(count == 0 ? "fails" : "pins");
        if (count == 0)
        {
            return 0;
        }

        state.Write(_words.RefCount.Address, count + 1);
        state.Write(_words.PinCount.Address, state.Read(_words.PinCount.Address) + 1);
        return 1;
    }

    public override void AddFootprint(Footprint footprint)
    {
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        footprint.Write(_words.RefCount.Address);
        footprint.Write(_words.PinCount.Address);
    }
}

/// <summary>Drops a pin and its reference in one atomic instruction; ends a request, if there is one, in the same step.</summary>
internal sealed class FrameUnpinOperation(Cpu cpu, int frame, PinRequest? request, bool pinned, string function) : Operation
{
    private readonly FramePutOperation _put = new(cpu, 1UL << frame, function);
    private readonly int _pins = cpu.Machine.Paging.Frames[frame].PinCount.Address;

    public override string Text => _put.Text;

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => _put.Alternatives(state);

    public override long Execute(MachineState state, int alternative)
    {
        foreach (MachineMonitor monitor in request is null ? [] : cpu.Machine.Monitors)
        {
            monitor.OnPinEnds(state, request!);
        }

        if (pinned)
        {
            state.Write(_pins, state.Read(_pins) - 1);
        }

        return _put.Execute(state, alternative);
    }

    public override void AddFootprint(Footprint footprint)
    {
        _put.AddFootprint(footprint);
        footprint.Write(_pins);
        foreach (MachineMonitor monitor in request is null ? [] : cpu.Machine.Monitors)
        {
            monitor.AddPinFootprint(footprint, request!);
        }
    }
}

/// <summary>
/// A walk in software reads an entry without any lock: the table may have been freed, or given to another range, since the walk
/// found it.
/// </summary>
internal sealed class LocklessReadOperation(Cpu cpu, AddressSpace space, PageTable table, int page, string function, StepWeight weight) : Operation
{
    private readonly Paging _paging = cpu.Machine.Paging;
    private readonly int _address = cpu.Machine.Paging.CheckedEntryAddress(table, page, function);

    public override string Text => $"{function}({Paging.AddressText(page)})";

    public override StepWeight Weight => weight;

    public override int Alternatives(MachineState state)
        => cpu.Machine.Model.LoadAlternatives(state, cpu, _address, MemoryOrder.Relaxed);

    public override long Execute(MachineState state, int alternative)
    {
        var read = new Pte(cpu.Machine.Model.Load(state, cpu, _address, MemoryOrder.Relaxed, alternative));
        state.Record?.Note(table.Level > 0 && read.Present && !read.Huge ? $"is table {read.Frame}" : $"is {read}");
        int level = _paging.LevelOf(state, table.Index);
        bool isOther = !_paging.IsTableOf(state, space, table);
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.OnLocklessRead(state, cpu, page, table.Index, level < 0 ? "was freed" : isOther ? "was given to another range" : null);
        }

        return unchecked((long)read.Bits);
    }

    public override void AddFootprint(Footprint footprint)
    {
        _paging.AddTableOfFootprint(footprint, table.Index);
        cpu.Machine.Model.AddLoadFootprint(footprint, cpu, _address);
    }
}

/// <summary>
/// The allocator hands out the frames of a huge page, each with one reference: the lowest that are free and may back the pages.
/// Returns the first frame, -1 if there are none.
/// </summary>
internal sealed class HugeAllocOperation(Cpu cpu, int page, int count) : Operation
{
    public override string Text => "alloc_charge_folio()";

    public override StepWeight Weight => StepWeight.Context;

    public override long Execute(MachineState state, int alternative)
    {
        Paging paging = cpu.Machine.Paging;
        for (int first = 0; first + count <= paging.Frames.Count; first++)
        {
            if (!IsFree(state, first))
            {
                continue;
            }

            for (int frame = first; frame < first + count; frame++)
            {
                state.Write(paging.FrameLifeAddress(frame), 1);
                state.Write(paging.FrameContentAddress(frame), 0);
                state.Write(paging.Frames[frame].RefCount.Address, 1);
                state.Write(paging.Frames[frame].MapCount.Address, 0);
            }

            state.Record?.Note($"frames {first} to {first + count - 1}");
            return first;
        }

        return -1;
    }

    public override void AddFootprint(Footprint footprint)
    {
        Paging paging = cpu.Machine.Paging;
        for (int frame = 0; frame < paging.Frames.Count; frame++)
        {
            footprint.Write(paging.FrameLifeAddress(frame));
            footprint.Write(paging.FrameContentAddress(frame));
            footprint.Write(paging.Frames[frame].RefCount.Address);
            footprint.Write(paging.Frames[frame].MapCount.Address);
        }
    }

    private bool IsFree(MachineState state, int first)
    {
        for (int i = 0; i < count; i++)
        {
            Paging paging = cpu.Machine.Paging;
            if (!paging.IsFrameOfPage(first + i, page + i) || state.Read(paging.FrameLifeAddress(first + i)) != 0)
            {
                return false;
            }
        }

        return true;
    }
}
