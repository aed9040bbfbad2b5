using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// The words of a timed machine: those of kernel structures, in order of creation, at addresses from 0, and those of frames
/// (<see cref="FrameTable"/>) at negative ones. Nothing is logged or hashed.
/// </summary>
public sealed class TimedMemory
{
    private const int SlotBits = 4;
    private ulong[] _words = new ulong[1024];
    private long[] _freeAt = new long[1024];

    /// <summary>Words of kernel structures.</summary>
    public int Count { get; private set; }

    internal FrameTable Frames { get; } = new();

    /// <summary>What is known about a frame.</summary>
    public ulong OfFrame(int frame, FrameSlot slot) => Frames.Read(frame, slot);

    /// <summary>Changes what is known about a frame.</summary>
    /// <exception cref="ProcRuleException">The value is larger than what the slot can hold.</exception>
    public void SetOfFrame(int frame, FrameSlot slot, ulong value) => Frames.Write(frame, slot, value);

    /// <summary>The value of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Read(int address) => address >= 0 ? _words[address] : Frames.Read(FrameOf(address), SlotOf(address));

    /// <summary>A word of a kernel structure, or the lock of a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref ulong At(int address)
    {
        if (address >= 0)
        {
            return ref _words[address];
        }

        return ref Frames.Rest(FrameOf(address), SlotOf(address));
    }

    /// <summary>When the lock with this word was released last, in nanoseconds.</summary>
    public ref long FreeAt(int address)
    {
        if (address >= 0)
        {
            return ref _freeAt[address];
        }

        return ref Unsafe.As<ulong, long>(ref Frames.Rest(FrameOf(address), SlotOf(address) + 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Write(int address, ulong value)
    {
        if (address >= 0)
        {
            _words[address] = value;
        }
        else
        {
            Frames.Write(FrameOf(address), SlotOf(address), value);
        }
    }

    internal static int AddressOf(int frame, FrameSlot slot) => ~((frame << SlotBits) | (int)slot);

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

    private static int FrameOf(int address) => ~address >> SlotBits;

    private static FrameSlot SlotOf(int address) => (FrameSlot)(~address & ((1 << SlotBits) - 1));
}
