using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>The words of a frame, as positions within it.</summary>
public enum FrameSlot
{
    /// <summary>References.</summary>
    RefCount,

    /// <summary>Entries that map it.</summary>
    MapCount,

    /// <summary>How many of the references are pins.</summary>
    PinCount,

    /// <summary>Dirty flag.</summary>
    Dirty,

    /// <summary>The data.</summary>
    Content,

    /// <summary>Place in a file.</summary>
    Mapping,

    /// <summary>IO under way.</summary>
    Writeback,

    /// <summary>Belongs to one process alone.</summary>
    AnonExclusive,

    /// <summary>May be thrown away.</summary>
    Lazyfree,

    /// <summary>The folio lock.</summary>
    Lock,

    /// <summary>When the folio lock was released last.</summary>
    LockFreeAt,

    /// <summary>1 + where the frame was mapped last: address space in bits 32 and up, page below.</summary>
    Place,

    /// <summary>Frames of the folio that starts here, as a power of two.</summary>
    Order,

    /// <summary>1 while the frame is given up, but kept from the allocator until TLBs have been flushed.</summary>
    Held,
}

/// <summary>
/// The words of a timed machine: those of kernel structures, in order of creation, and sixteen for every frame, which exist once the
/// frame was used. Nothing is logged or hashed.
/// </summary>
public sealed class TimedMemory
{
    /// <summary>Address of the first word of frame 0.</summary>
    internal const int FrameBase = 1 << 30;

    /// <summary>Words of a frame, as a power of two.</summary>
    internal const int FrameShift = 4;

    private ulong[] _words = new ulong[1024];
    private long[] _freeAt = new long[1024];
    private ulong[] _frames = new ulong[1024];

    /// <summary>Words of kernel structures.</summary>
    public int Count { get; private set; }

    /// <summary>A word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref ulong At(int address)
    {
        if (address < FrameBase)
        {
            return ref _words[address];
        }

        return ref _frames[address - FrameBase];
    }

    /// <summary>A word of a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref ulong OfFrame(int frame, FrameSlot slot) => ref _frames[(frame << FrameShift) + (int)slot];

    /// <summary>When the lock with this word was released last, in nanoseconds.</summary>
    public ref long FreeAt(int address)
    {
        if (address < FrameBase)
        {
            return ref _freeAt[address];
        }

        return ref Unsafe.As<ulong, long>(ref _frames[address - FrameBase + 1]);
    }

    internal static int AddressOf(int frame, FrameSlot slot) => FrameBase + (frame << FrameShift) + (int)slot;

    internal int Allocate(ulong initial)
    {
        if (Count == _words.Length)
        {
            Array.Resize(ref _words, Count * 2);
            Array.Resize(ref _freeAt, Count * 2);
        }

        _words[Count] = initial;
        return Count++;
    }

    internal void NeedFrames(int count)
    {
        if (_frames.Length < count << FrameShift)
        {
            Array.Resize(ref _frames, Math.Max(count << FrameShift, _frames.Length * 2));
        }
    }

    internal void ClearFrame(int frame) => Array.Clear(_frames, frame << FrameShift, 1 << FrameShift);
}
