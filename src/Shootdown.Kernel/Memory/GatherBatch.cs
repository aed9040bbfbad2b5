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

    /// <summary>How many of the queued frames had no other reference: what the gather keeps from the allocator.</summary>
    public int Held { get; private set; }

    /// <summary>Queues a frame and returns how many are queued.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="delayRmap">True if its rmap is removed behind the flush.</param>
    /// <param name="isLast">True if the reference that is queued is its last one.</param>
    public int Add(int frame, bool delayRmap, bool isLast)
    {
        Held += isLast ? 1 : 0;
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
        Held = 0;
        return taken;
    }
}
