using System.Collections;

namespace Shootdown.Machine;

/// <summary>The words of a physical frame that kernel code uses (<c>struct page</c>).</summary>
public sealed class FrameWords : MachineHandle
{
    private Word? _refCount;
    private Word? _mapCount;
    private Word? _pinCount;
    private Word? _dirty;
    private Word? _content;

    /// <summary>The words of a frame of a timed machine: names are made as they are asked for.</summary>
    internal FrameWords(MachineModel machine, int number)
        : base(machine) => Number = number;

    internal FrameWords(MachineModel machine, int number, int contentAddress)
        : base(machine)
    {
        Number = number;
        int colours = machine.Options.FrameColours;
        _refCount = machine.NewWord($"page{number}._refcount", 0, new WordPlace($"refcount {number / colours}", Page: number % colours));
        _mapCount = machine.NewWord($"page{number}._mapcount", 0, new WordPlace($"mapcount {number / colours}", Page: number % colours));
        _pinCount = machine.NewWord($"page{number}.pins", 0, new WordPlace($"pins {number / colours}", Page: number % colours));
        _dirty = machine.NewWord($"page{number}.dirty", 0, new WordPlace($"dirty {number / colours}", Page: number % colours));
        _content = new Word(machine, contentAddress, $"frame {number}", WordKind.Shared, null);
    }

    /// <summary>Frame number.</summary>
    public int Number { get; }

    /// <summary>References.</summary>
    public Word RefCount => _refCount ??= Named(FrameSlot.RefCount, "page._refcount");

    /// <summary>Page-table entries that map it.</summary>
    public Word MapCount => _mapCount ??= Named(FrameSlot.MapCount, "page._mapcount");

    /// <summary>
    /// How many of the references are pins (FOLL_PIN): in the kernel steps of 1024 in the same word, so both change together.
    /// </summary>
    public Word PinCount => _pinCount ??= Named(FrameSlot.PinCount, "page.pins");

    /// <summary>1 if the page is marked dirty.</summary>
    public Word Dirty => _dirty ??= Named(FrameSlot.Dirty, "page.dirty");

    /// <summary>The data, as one word.</summary>
    public Word Content => _content ??= Named(FrameSlot.Content, "frame");

    /// <summary>A word of this frame on a timed machine.</summary>
    public Word Named(FrameSlot slot, string name)
        => new(Machine, TimedMemory.AddressOf(Number, slot), name, WordKind.Shared, null);

    /// <summary>The folio lock of this frame on a timed machine.</summary>
    public KernelMutex NamedLock() => new(Named(FrameSlot.Lock, "page.lock"));
}

/// <summary>
/// Names of the words of a timed machine's frames. There are millions of frames: the names of some ten thousand are kept, others are
/// made again. Names hold no state, so which object is handed out does not matter.
/// </summary>
internal sealed class TimedFrames(MachineModel machine) : IReadOnlyList<FrameWords>
{
    private readonly FrameWords?[] _recent = new FrameWords?[1 << 16];

    public int Count => machine.Options.Frames;

    public FrameWords this[int index]
    {
        get
        {
            ref FrameWords? slot = ref _recent[index & (_recent.Length - 1)];
            return slot is { } known && known.Number == index ? known : slot = new FrameWords(machine, index);
        }
    }

    public IEnumerator<FrameWords> GetEnumerator() => throw new NotSupportedException("the frames of a timed machine are not enumerated");

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
