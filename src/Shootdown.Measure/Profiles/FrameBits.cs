namespace Shootdown.Measure;

/// <summary>A set of frames: one bit for each frame up to the highest that was ever added.</summary>
internal sealed class FrameBits
{
    private const int Shift = 6;
    private ulong[] _bits = new ulong[16];

    /// <summary>True if the frame is in the set.</summary>
    internal bool Contains(int frame) => frame >> Shift < _bits.Length && (_bits[frame >> Shift] & (1UL << frame)) != 0;

    /// <summary>Puts a frame in; false if it was in.</summary>
    internal bool Add(int frame)
    {
        int index = frame >> Shift;
        if (index >= _bits.Length)
        {
            Array.Resize(ref _bits, Math.Max(index + 1, _bits.Length * 2));
        }

        bool added = (_bits[index] & (1UL << frame)) == 0;
        _bits[index] |= 1UL << frame;
        return added;
    }

    /// <summary>Takes a frame out; true if it was in.</summary>
    internal bool Remove(int frame)
    {
        bool removed = Contains(frame);
        if (removed)
        {
            _bits[frame >> Shift] &= ~(1UL << frame);
        }

        return removed;
    }
}
