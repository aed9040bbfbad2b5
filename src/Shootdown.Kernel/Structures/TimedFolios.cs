using System.Collections;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Names of what a kernel of real size knows about its millions of frames: some ten thousand are kept, others are made again.
/// </summary>
internal sealed class TimedFolios(MachineModel machine, bool hasLock) : IReadOnlyList<Folio>
{
    private readonly Folio?[] _recent = new Folio?[1 << 16];

    public int Count => machine.Options.Frames;

    public Folio this[int index]
    {
        get
        {
            ref Folio? slot = ref _recent[index & (_recent.Length - 1)];
            return slot is { } known && known.Frame.Number == index ? known : slot = new Folio(machine.Paging.Frames[index], hasLock);
        }
    }

    public IEnumerator<Folio> GetEnumerator() => throw new NotSupportedException("the frames of a timed machine are not enumerated");

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
