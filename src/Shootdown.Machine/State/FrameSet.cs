using System.Numerics;

namespace Shootdown.Machine;

/// <summary>
/// A set of frames as kernel code passes it on: a mask of frames 0 to 63, or a part of a list of a machine of real size. Immutable; a
/// list is only ever added to while somebody holds a part of it.
/// </summary>
/// <param name="Mask">The frames, if there is no list.</param>
/// <param name="List">The list.</param>
/// <param name="Start">Position of the first one in the list.</param>
/// <param name="End">Position behind the last one.</param>
public readonly record struct FrameSet(ulong Mask, FrameList? List = null, int Start = 0, int End = 0)
{
    /// <summary>True if there is none.</summary>
    public bool IsEmpty => List is null ? Mask == 0 : Start == End;

    /// <summary>How many there are.</summary>
    public int Count => List is null ? BitOperations.PopCount(Mask) : End - Start;

    /// <summary>The first one.</summary>
    public int First => List is null ? BitOperations.TrailingZeroCount(Mask) : List[Start];

    /// <summary>Without the first one.</summary>
    public FrameSet WithoutFirst => List is null ? new(Mask & (Mask - 1)) : this with { Start = Start + 1 };

    /// <summary>One frame.</summary>
    public static FrameSet Of(int frame) => frame < 64 ? new(1UL << frame) : new(0, FrameList.Single, frame, frame + 1);

    /// <summary>A mask of frames 0 to 63.</summary>
    public static implicit operator FrameSet(ulong mask) => new(mask);

    /// <summary>A mask of frames 0 to 63.</summary>
    public static FrameSet FromUInt64(ulong mask) => new(mask);

    /// <summary>With one more frame: at the end of the list, if there is one.</summary>
    public FrameSet With(int frame)
    {
        if (List is null)
        {
            return new(Mask | (1UL << frame));
        }

        int end = List.Put(End, frame);
        return this with { End = end };
    }

    /// <summary>Goes through the frames.</summary>
    public Enumerator GetEnumerator() => new(this);

    /// <summary>Goes through the frames of a set.</summary>
    /// <param name="rest">The set.</param>
    public struct Enumerator(FrameSet rest)
    {
        private FrameSet _rest = rest;

        /// <summary>The frame.</summary>
        public int Current { get; private set; }

        /// <summary>Goes to the next one.</summary>
        public bool MoveNext()
        {
            if (_rest.IsEmpty)
            {
                return false;
            }

            Current = _rest.First;
            _rest = _rest.WithoutFirst;
            return true;
        }
    }
}

/// <summary>A list of frames that a timed machine keeps.</summary>
[MachineHandle]
public sealed class FrameList
{
    private int[]? _frames;

    /// <summary>An empty list.</summary>
    public FrameList() => _frames = new int[64];

    private FrameList(int[]? frames) => _frames = frames;

    /// <summary>The list in which each frame stands at its own position.</summary>
    internal static FrameList Single { get; } = new(null);

    /// <summary>The frame at a position.</summary>
    public int this[int position] => _frames is { } frames ? frames[position] : position;

    /// <summary>Writes a frame at a position and returns the one behind it.</summary>
    internal int Put(int position, int frame)
    {
        if (_frames is null)
        {
            throw new ProcRuleException("a set that was made of one frame was added to");
        }

        if (position == _frames.Length)
        {
            Array.Resize(ref _frames, position * 2);
        }

        _frames[position] = frame;
        return position + 1;
    }
}
