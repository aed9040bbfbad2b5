using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Frames that a flush design keeps from the allocator: a mask in one word on small machines, a list on machines of real size. The word
/// is there on both, so that using it costs the same step.
/// </summary>
public sealed class HeldFrames : MachineHandle
{
    private readonly Word _mask;
    private readonly FrameQueue? _list;

    internal HeldFrames(MachineModel machine, Word mask)
        : base(machine)
    {
        _mask = mask;
        _list = machine.Timed is null ? null : new FrameQueue();
    }

    /// <summary>Adds frames, atomically.</summary>
    public async Proc Add(Cpu cpu, FrameSet frames)
    {
        await cpu.FetchOr(_mask, _list is null ? frames.Mask : 1, StepWeight.Key);
        if (_list is not null)
        {
            Machine.Timed!.HoldBack(cpu, frames.Count);
            Mark(frames, 1);
            _list.Add(frames);
        }
    }

    /// <summary>Takes all frames, atomically.</summary>
    public async Proc<FrameSet> TakeAll(Cpu cpu)
    {
        ulong mask = await cpu.Exchange(_mask, 0);
        if (_list is null)
        {
            return mask;
        }

        FrameSet taken = _list.TakeAll();
        Machine.Timed!.HoldBack(cpu, -taken.Count);
        Mark(taken, 0);
        return taken;
    }

    private void Mark(FrameSet frames, ulong held)
    {
        foreach (int frame in frames)
        {
            Machine.Timed!.Memory.SetOfFrame(frame, FrameSlot.Held, held);
        }
    }
}

/// <summary>The list of <see cref="HeldFrames"/>.</summary>
[MachineHandle]
internal sealed class FrameQueue
{
    private FrameSet _frames = new(0, new FrameList());

    internal void Add(FrameSet frames)
    {
        foreach (int frame in frames)
        {
            _frames = _frames.With(frame);
        }
    }

    /// <summary>All frames; they stay valid, the queue goes on with another list.</summary>
    internal FrameSet TakeAll()
    {
        FrameSet taken = _frames;
        _frames = new(0, new FrameList());
        return taken;
    }
}
