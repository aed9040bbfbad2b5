using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Frames that a flush design keeps from the allocator: a mask in one word on small machines, a list on machines of real size. The word
/// is there on both, so that using it costs the same step.
/// </summary>
public sealed class HeldFrames : MachineHandle
{
    private readonly Word _mask;
    private readonly bool _isTimed;
    private FrameSet _list;

    internal HeldFrames(MachineModel machine, Word mask)
        : base(machine)
    {
        _mask = mask;
        _isTimed = machine.Timed is not null;
        _list = NewList();
    }

    /// <summary>Adds frames, atomically.</summary>
    public async Proc Add(Cpu cpu, FrameSet frames)
    {
        await cpu.FetchOr(_mask, _isTimed ? 1 : frames.Mask, StepWeight.Key);
        if (_isTimed)
        {
            Machine.Timed!.HoldBack(cpu, frames.Count);
            foreach (int frame in frames)
            {
                _list = _list.With(frame);
            }
        }
    }

    /// <summary>Takes all frames, atomically.</summary>
    public async Proc<FrameSet> TakeAll(Cpu cpu)
    {
        ulong mask = await cpu.Exchange(_mask, 0);
        if (!_isTimed)
        {
            return mask;
        }

        FrameSet taken = _list;
        Machine.Timed!.HoldBack(cpu, -taken.Count);
        _list = NewList();
        return taken;
    }

    private FrameSet NewList() => _isTimed ? new FrameSet(0, new FrameList()) : default;
}
