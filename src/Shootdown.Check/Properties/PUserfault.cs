using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-uffd: contents that userfaultfd write-protected keep the mark, wherever they go (migration, swap, mremap, split), before somebody lifts
/// the protection: without it a store to them is not reported.
/// </summary>
/// <remarks>
/// <para>Contents are protected in an address space once an entry with the mark maps their frame there. The protection goes with copies and
/// swap slots, and ends with the contents, or when a call that lifts it returns. Judged is every entry of that address space that is set to
/// them, that of a page, of a migration or of a swap slot: it must have the mark, and an entry that has it must not be writable. What TLBs may
/// still hold from before is P-ret's business.</para>
/// <para>Where KSM puts another page with the same contents in place, the entry must have the mark too. Later that page is not judged: it
/// may be mapped elsewhere in the address space without protection.</para>
/// <para>While a call that lifts protection is under way anywhere, nothing is judged, and entries without the mark end the protection.</para>
/// </remarks>
public sealed class PUserfault : Property
{
    private MachineModel _machine = null!;
    private int _protected;
    private int _mapped;
    private int _swapped;
    private int _lifting;
    private int _equal;
    private int _shared;

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
            JudgeReplacement(state, space, page, value);
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

    /// <summary>One page may now take the place of the other, which it is no copy of.</summary>
    public override void OnFramesEqual(MachineState state, Cpu cpu, int from, int to)
    {
        state.Write(_equal + from, (ulong)to + 1);
        state.Write(_shared + to, 1);
    }

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame)
    {
        state.Write(_protected + frame, 0);
        state.Write(_equal + frame, 0);
        state.Write(_shared + frame, 0);
    }

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
        footprint.ReadRange(_equal, _machine.Paging.Frames.Count);
        footprint.ReadRange(_shared, _machine.Paging.Frames.Count);
        footprint.WriteRange(_protected, _machine.Paging.Frames.Count);
        footprint.WriteRange(_mapped, Places);
        footprint.WriteRange(_swapped, Places);
    }

    /// <inheritdoc/>
    public override void AddCopyFootprint(Footprint footprint, int from, int to)
    {
        footprint.Read(_protected + from);
        footprint.Write(_protected + to);
        footprint.Write(_equal + from);
        footprint.Write(_shared + to);
    }

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame)
    {
        footprint.Write(_protected + frame);
        footprint.Write(_equal + frame);
        footprint.Write(_shared + frame);
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _protected = machine.AllocateRange("p_uffd.protected", WordKind.Hardware, machine.Paging.Frames.Count);
        _mapped = machine.AllocateRange("p_uffd.mapped", WordKind.Hardware, Places);
        _swapped = machine.AllocateRange("p_uffd.swapped", WordKind.Hardware, Places);
        _lifting = machine.AllocateRange("p_uffd.lifting", WordKind.Hardware, 1);
        _equal = machine.AllocateRange("p_uffd.equal", WordKind.Hardware, machine.Paging.Frames.Count);
        _shared = machine.AllocateRange("p_uffd.shared", WordKind.Hardware, machine.Paging.Frames.Count);
    }

    private int Places => _machine.Paging.Spaces.Count * _machine.Paging.PageCount;

    /// <summary>KSM puts a page with the same contents in the place of the one that was mapped last.</summary>
    private void JudgeReplacement(MachineState state, AddressSpace space, int page, Pte value)
    {
        int replaced = (int)state.Read(Mapped(space, page)) - 1;
        if (replaced < 0 || state.Read(_equal + replaced) != (ulong)value.Frame + 1 || !IsProtected(state, space, replaced)
            || state.Read(_lifting) != 0)
        {
            return;
        }

        Judge(state);
        if (!value.UserfaultWp)
        {
            ReportLostMark(state, space, page, value);
        }
    }

    /// <summary>The entry stands for the contents of the frame.</summary>
    private void JudgeEntry(MachineState state, AddressSpace space, int page, Pte value, int frame)
    {
        if (state.Read(_shared + frame) != 0)
        {
            return;
        }

        int address = _protected + frame;
        if (value.UserfaultWp)
        {
            state.Write(address, state.Read(address) | Bit(space));
            JudgeMarked(state, page, value);
        }
        else if (IsProtected(state, space, frame) && state.Read(_lifting) != 0)
        {
            state.Write(address, state.Read(address) & ~Bit(space));
        }
        else if (IsProtected(state, space, frame))
        {
            Judge(state);
            ReportLostMark(state, space, page, value);
        }
    }

    /// <summary>include/linux/page_table_check.h warns of the same.</summary>
    private void JudgeMarked(MachineState state, int page, Pte value)
    {
        Judge(state);
        if (value is { Present: true, Write: true })
        {
            Report(state, $"The entry of {Paging.AddressText(page)} ({value}) is writable though it has the uffd-wp mark: "
                + "stores will not be reported.");
        }
    }

    private void ReportLostMark(MachineState state, AddressSpace space, int page, Pte value) => Report(
        state,
        $"The entry of {Paging.AddressText(page)} ({value}) has no uffd-wp mark, though userfaultfd write-protected these contents "
            + $"in {space} and nobody lifted that: the next store will not be reported.");

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
