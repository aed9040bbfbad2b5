using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// What a gather of a machine of real size has queued (<c>struct mmu_gather_batch</c>, <c>struct mmu_table_batch</c>): state of
/// the task that gathers, as its local words are.
/// </summary>
[MachineHandle]
public sealed class GatherBatch
{
    private FrameSet _frames = new(0, new FrameList());

    /// <summary>Page tables to free behind the flush.</summary>
    public List<int> Tables { get; } = [];

    /// <summary>Frames whose rmap is removed behind the flush.</summary>
    public List<int> Delayed { get; } = [];

    /// <summary>Queues a frame and returns how many are queued.</summary>
    public int Add(int frame, bool delayRmap)
    {
        if (delayRmap)
        {
            Delayed.Add(frame);
        }

        _frames = _frames.With(frame);
        return _frames.Count;
    }

    /// <summary>All queued frames; the queue is empty behind it, and its frames are valid until one is added.</summary>
    public FrameSet TakeFrames()
    {
        FrameSet taken = _frames;
        _frames = taken with { End = 0 };
        return taken;
    }
}
