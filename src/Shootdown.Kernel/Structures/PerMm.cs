using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Something that every address space has one of, made by a mechanism. Small machines are laid out before there are address spaces: they
/// make a fixed number. Machines of real size make one when it is asked for first.
/// </summary>
/// <typeparam name="T">Words, or a handle that has some.</typeparam>
public sealed class PerMm<T> : MachineHandle
{
    private readonly Func<int, T> _make;
    private readonly List<T> _made = [];

    internal PerMm(MachineModel machine, int mmsMax, Func<int, T> make)
        : base(machine)
    {
        _make = make;
        while (machine.Timed is null && _made.Count < mmsMax)
        {
            _made.Add(make(_made.Count));
        }
    }

    /// <summary>That of an address space.</summary>
    /// <exception cref="ProcRuleException">A small machine has more address spaces than were made for.</exception>
    public T this[Mm mm]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(mm);
            while (Machine.Timed is not null && _made.Count <= mm.Index)
            {
                _made.Add(_make(_made.Count));
            }

            return mm.Index < _made.Count ? _made[mm.Index]
                : throw new ProcRuleException($"this flush design was made for {_made.Count} address spaces, and {mm} is one more");
        }
    }
}
