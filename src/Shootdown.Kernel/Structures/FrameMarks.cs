using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Marks on frames of a machine of real size, of one task alone; small machines have a mask in a local word.</summary>
[MachineHandle]
internal sealed class FrameMarks
{
    private readonly HashSet<int> _marked = [];

    /// <summary>Marks a frame.</summary>
    internal void Add(int frame) => _marked.Add(frame);

    /// <summary>Takes the marks off frames, and divides those into the ones that had one and the others.</summary>
    internal (FrameSet Marked, FrameSet Others) Take(FrameSet frames, FrameSet marked, FrameSet others)
    {
        foreach (int frame in frames)
        {
            if (_marked.Remove(frame))
            {
                marked = marked.With(frame);
            }
            else
            {
                others = others.With(frame);
            }
        }

        return (marked, others);
    }
}
