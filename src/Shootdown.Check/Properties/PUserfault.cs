using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-uffd: contents that userfaultfd write-protected keep the mark, wherever they go (migration, swap, mremap, split), before somebody lifts
/// the protection: without it a store to them is not reported.
/// </summary>
/// <remarks>
/// <para>Contents are protected in an address space once an entry with the mark maps their frame there. The protection goes with copies and
/// swap slots, and ends with the contents, or when a call that lifts it returns. Judged is every entry of that address space that is set to
/// them, that of a page, of a migration or of a swap slot: it must have the mark. What TLBs may still hold from before is P-ret's business.</para>
/// <para>Where KSM puts another page in place, protection ends: what becomes of the mark then is not judged.</para>
/// <para>While a call that lifts protection is under way anywhere, nothing is judged, and entries without the mark end the protection.</para>
/// </remarks>
public sealed class PUserfault : Property
{
    private MachineModel _machine = null!;
    private int _protected;
    private int _mapped;
    private int _swapped;
    private int _lifting;

    /// <inheritdoc/>
    public override string Id => "P-uffd";

    /// <inheritdoc/>
    public override string JudgementText => "entries of contents that userfaultfd write-protected";

    /// <inheritdoc/>
    public override void OnPromiseBegins(MachineState state, Promise promise)
    {
        if (promise.Kind == PromiseKind.StoresAllowed)
        {
            state.Write(_lifting, state.Read(_lifting) + 1);
        }
    }

    /// <inheritdoc/>
    public override void OnPromiseReturns(MachineState state, Promise promise)
    {
        if (promise.Kind != PromiseKind.StoresAllowed)
        {
            return;
        }

        int colours = _machine.Options.FrameColours;
        state.Write(_lifting, state.Read(_lifting) - 1);
        for (int page = promise.FirstPage; page < promise.FirstPage + promise.PageCount; page++)
        {
            for (int frame = page % colours; frame < _machine.Paging.Frames.Count; frame += colours)
            {
                state.Write(_protected + frame, state.Read(_protected + frame) & ~Bit(promise.Space));
            }

            state.Write(SlotOf(promise.Space, page), 0);
        }
    }

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        if (value.MapsFrame)
        {
            SwapIn(state, space, old, value.Frame);
            state.Write(Mapped(space, page), (ulong)value.Frame + 1);
            JudgeEntry(state, space, page, value, value.Frame);
        }
        else if (value.IsMigration)
        {
            JudgeEntry(state, space, page, value, value.Frame);
        }
        else if (value.IsSwap && !old.IsSwap && value.Frame == page && state.Read(Mapped(space, page)) is var mapped and not 0)
        {
            JudgeEntry(state, space, page, value, (int)mapped - 1);
            state.Write(SlotOf(space, page), IsProtected(state, space, (int)mapped - 1) ? 1UL : 0);
        }
    }

    /// <inheritdoc/>
    public override void OnFrameCopied(MachineState state, Cpu cpu, int from, int to) => state.Write(_protected + to, state.Read(_protected + from));

    /// <summary>The page that KSM puts in place is no copy of the protected one.</summary>
    public override void OnFramesEqual(MachineState state, Cpu cpu, int from, int to)
    {
    }

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame) => state.Write(_protected + frame, 0);

    /// <inheritdoc/>
    public override void AddPromiseFootprint(Footprint footprint, Promise promise)
    {
        if (promise.Kind == PromiseKind.StoresAllowed)
        {
            footprint.Write(_lifting);
            footprint.WriteRange(_protected, _machine.Paging.Frames.Count);
            footprint.WriteRange(_swapped, Places);
        }
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
    {
        footprint.Read(_lifting);
        footprint.WriteRange(_protected, _machine.Paging.Frames.Count);
        footprint.WriteRange(_mapped, Places);
        footprint.WriteRange(_swapped, Places);
    }

    /// <inheritdoc/>
    public override void AddCopyFootprint(Footprint footprint, int from, int to)
    {
        footprint.Read(_protected + from);
        footprint.Write(_protected + to);
    }

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame) => footprint.Write(_protected + frame);

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _protected = machine.AllocateRange("p_uffd.protected", WordKind.Hardware, machine.Paging.Frames.Count);
        _mapped = machine.AllocateRange("p_uffd.mapped", WordKind.Hardware, Places);
        _swapped = machine.AllocateRange("p_uffd.swapped", WordKind.Hardware, Places);
        _lifting = machine.AllocateRange("p_uffd.lifting", WordKind.Hardware, 1);
    }

    private int Places => _machine.Paging.Spaces.Count * _machine.Paging.PageCount;

    /// <summary>The entry stands for the contents of the frame.</summary>
    private void JudgeEntry(MachineState state, AddressSpace space, int page, Pte value, int frame)
    {
        int address = _protected + frame;
        if (value.UserfaultWp)
        {
            state.Write(address, state.Read(address) | Bit(space));
        }
        else if (IsProtected(state, space, frame) && state.Read(_lifting) != 0)
        {
            state.Write(address, state.Read(address) & ~Bit(space));
        }
        else if (IsProtected(state, space, frame))
        {
            Judge(state);
            Report(state, $"The entry of {Paging.AddressText(page)} ({value}) has no uffd-wp mark, though userfaultfd write-protected these contents "
                + $"in {space} and nobody lifted that: the next store will not be reported.");
        }
    }

    /// <summary>What comes back from a swap slot is protected if what went there was.</summary>
    private void SwapIn(MachineState state, AddressSpace space, Pte old, int frame)
    {
        if (old.IsSwap && old.Frame < _machine.Paging.PageCount && state.Read(SlotOf(space, old.Frame)) != 0)
        {
            state.Write(SlotOf(space, old.Frame), 0);
            state.Write(_protected + frame, state.Read(_protected + frame) | Bit(space));
        }
    }

    private bool IsProtected(MachineState state, AddressSpace space, int frame) => (state.Read(_protected + frame) & Bit(space)) != 0;

    private static ulong Bit(AddressSpace space) => 1UL << space.Index;

    private int Mapped(AddressSpace space, int page) => _mapped + (space.Index * _machine.Paging.PageCount) + page;

    private int SlotOf(AddressSpace space, int page) => _swapped + (space.Index * _machine.Paging.PageCount) + page;
}
