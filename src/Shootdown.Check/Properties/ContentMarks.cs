using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Contents that entries of an address space have marked keep the mark, wherever they go (migration, swap, mremap, split), before a call
/// takes the marks away.
/// </summary>
/// <remarks>
/// <para>Contents are marked in an address space once an entry with the mark maps their frame there. The mark goes with copies and
/// swap slots, and ends with the contents, or when a call that clears marks returns. Judged is every entry of that address space that is set to
/// them, that of a page, of a migration or of a swap slot. What TLBs may still hold from before is P-ret's business.</para>
/// <para>Where KSM puts another page with the same contents in place, the entry must have the mark too. Later that page is not judged: it
/// may be mapped elsewhere in the address space without a mark.</para>
/// <para>While a call that clears marks is under way anywhere, nothing is judged, and entries without the mark end it.</para>
/// </remarks>
/// <param name="mark">The bit of the entry.</param>
/// <param name="clearing">The kind of the calls that clear marks.</param>
/// <param name="unmarked">
/// Frames whose entries forget their marks, in words of frame + 1 or 0: those of the page cache, where unmapping a page drops its entry.
/// </param>
public abstract class ContentMarks(ulong mark, PromiseKind clearing, params IReadOnlyList<Word> unmarked) : Property
{
    private MachineModel _machine = null!;
    private int _marked;
    private int _mapped;
    private int _swapped;
    private int _clearing;
    private int _equal;
    private int _shared;

    /// <inheritdoc/>
    public override void OnPromiseBegins(MachineState state, Promise promise)
    {
        if (promise.Kind == clearing)
        {
            state.Write(_clearing, state.Read(_clearing) + 1);
        }
    }

    /// <inheritdoc/>
    public override void OnPromiseReturns(MachineState state, Promise promise)
    {
        JudgeLeft(state, promise, state.Read(_clearing) - (promise.Kind == clearing ? 1UL : 0));
        if (promise.Kind != clearing)
        {
            return;
        }

        int colours = _machine.Options.FrameColours;
        state.Write(_clearing, state.Read(_clearing) - 1);
        for (int page = promise.FirstPage; page < promise.FirstPage + promise.PageCount; page++)
        {
            for (int frame = page % colours; frame < _machine.Paging.Frames.Count; frame += colours)
            {
                state.Write(_marked + frame, state.Read(_marked + frame) & ~Bit(promise.Space));
            }

            state.Write(SlotOf(promise.Space, page), 0);
        }
    }

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        Learn(state, space, page, old);
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
            state.Write(SlotOf(space, page), IsMarked(state, space, (int)mapped - 1) ? 1UL : 0);
        }
    }

    /// <inheritdoc/>
    public override void OnFrameCopied(MachineState state, Cpu cpu, int from, int to) => state.Write(_marked + to, state.Read(_marked + from));

    /// <summary>One page may now take the place of the other, which it is no copy of.</summary>
    public override void OnFramesEqual(MachineState state, Cpu cpu, int from, int to)
    {
        state.Write(_equal + from, (ulong)to + 1);
        state.Write(_shared + to, 1);
    }

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame)
    {
        state.Write(_marked + frame, 0);
        state.Write(_equal + frame, 0);
        state.Write(_shared + frame, 0);
    }

    /// <inheritdoc/>
    public override void AddPromiseFootprint(Footprint footprint, Promise promise)
    {
        if (promise.Kind == clearing)
        {
            footprint.Write(_clearing);
            footprint.WriteRange(_marked, _machine.Paging.Frames.Count);
            footprint.WriteRange(_swapped, Places);
        }

        for (int page = promise.FirstPage; JudgesWhatIsLeft(promise) && page < promise.FirstPage + promise.PageCount; page++)
        {
            footprint.Read(_clearing);
            TlbInspector.AddLeafFootprint(footprint, _machine, page);
        }
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
    {
        footprint.Read(_clearing);
        footprint.ReadAll([.. unmarked.Select(cached => cached.Address)]);
        footprint.ReadRange(_equal, _machine.Paging.Frames.Count);
        footprint.ReadRange(_shared, _machine.Paging.Frames.Count);
        footprint.WriteRange(_marked, _machine.Paging.Frames.Count);
        footprint.WriteRange(_mapped, Places);
        footprint.WriteRange(_swapped, Places);
    }

    /// <inheritdoc/>
    public override void AddCopyFootprint(Footprint footprint, int from, int to)
    {
        footprint.Read(_marked + from);
        footprint.Write(_marked + to);
        footprint.Write(_equal + from);
        footprint.Write(_shared + to);
    }

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame)
    {
        footprint.Write(_marked + frame);
        footprint.Write(_equal + frame);
        footprint.Write(_shared + frame);
    }

    /// <summary>True if the entries that a call leaves are judged when it returns.</summary>
    protected virtual bool JudgesWhatIsLeft(Promise promise) => false;

    /// <summary>Judges an entry when a call returns and no other clears marks.</summary>
    protected virtual void JudgeLeftEntry(MachineState state, AddressSpace space, int page, Pte value) => JudgeRights(state, space, page, value);

    /// <summary>The start of the names of its words, e.g. <c>p_uffd</c>.</summary>
    protected abstract string WordPrefix { get; }

    /// <summary>Judges the rights of an entry that maps a frame, or stands for its migration, while no call clears marks.</summary>
    protected abstract void JudgeRights(MachineState state, AddressSpace space, int page, Pte value);

    /// <summary>Why it is wrong that an entry of marked contents has no mark, as a sentence that begins with the entry.</summary>
    /// <param name="space">The address space.</param>
    /// <param name="page">The page.</param>
    /// <param name="value">The entry.</param>
    protected abstract string LostText(AddressSpace space, int page, Pte value);

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        _machine = machine;
        _marked = machine.AllocateRange($"{WordPrefix}.marked", WordKind.Hardware, machine.Paging.Frames.Count);
        _mapped = machine.AllocateRange($"{WordPrefix}.mapped", WordKind.Hardware, Places);
        _swapped = machine.AllocateRange($"{WordPrefix}.swapped", WordKind.Hardware, Places);
        _clearing = machine.AllocateRange($"{WordPrefix}.clearing", WordKind.Hardware, 1);
        _equal = machine.AllocateRange($"{WordPrefix}.equal", WordKind.Hardware, machine.Paging.Frames.Count);
        _shared = machine.AllocateRange($"{WordPrefix}.shared", WordKind.Hardware, machine.Paging.Frames.Count);
    }

    private void JudgeLeft(MachineState state, Promise promise, ulong clearing)
    {
        for (int page = promise.FirstPage; clearing == 0 && JudgesWhatIsLeft(promise) && page < promise.FirstPage + promise.PageCount; page++)
        {
            Pte left = TlbInspector.CurrentLeaf(state, promise.Space, page);
            if (!left.IsNone)
            {
                JudgeLeftEntry(state, promise.Space, page, left);
            }
        }
    }

    private int Places => _machine.Paging.Spaces.Count * _machine.Paging.PageCount;

    /// <summary>What an entry had marked before the first change that was seen: the initial state has entries too.</summary>
    private void Learn(MachineState state, AddressSpace space, int page, Pte old)
    {
        if (!old.MapsFrame)
        {
            return;
        }

        state.Write(Mapped(space, page), (ulong)old.Frame + 1);
        if ((old.Bits & mark) != 0 && KeepsMarks(state, old.Frame) && state.Read(_clearing) == 0)
        {
            state.Write(_marked + old.Frame, state.Read(_marked + old.Frame) | Bit(space));
        }
    }

    /// <summary>KSM puts a page with the same contents in the place of the one that was mapped last.</summary>
    private void JudgeReplacement(MachineState state, AddressSpace space, int page, Pte value)
    {
        int replaced = (int)state.Read(Mapped(space, page)) - 1;
        if (replaced < 0 || state.Read(_equal + replaced) != (ulong)value.Frame + 1 || !IsMarked(state, space, replaced)
            || state.Read(_clearing) != 0)
        {
            return;
        }

        Judge(state);
        if ((value.Bits & mark) == 0)
        {
            Report(state, LostText(space, page, value));
        }
    }

    /// <summary>The entry stands for the contents of the frame.</summary>
    private void JudgeEntry(MachineState state, AddressSpace space, int page, Pte value, int frame)
    {
        if (state.Read(_clearing) == 0)
        {
            JudgeRights(state, space, page, value);
        }

        if (!KeepsMarks(state, frame))
        {
            return;
        }

        int address = _marked + frame;
        if ((value.Bits & mark) != 0)
        {
            state.Write(address, state.Read(address) | Bit(space));
        }
        else if (IsMarked(state, space, frame) && state.Read(_clearing) != 0)
        {
            state.Write(address, state.Read(address) & ~Bit(space));
        }
        else if (IsMarked(state, space, frame))
        {
            Judge(state);
            Report(state, LostText(space, page, value));
        }
    }

    /// <summary>False for a page that others may map without the mark, and for pages of files.</summary>
    private bool KeepsMarks(MachineState state, int frame)
        => state.Read(_shared + frame) == 0 && !unmarked.Any(cached => state.Read(cached.Address) == (ulong)frame + 1);

    /// <summary>What comes back from a swap slot is marked if what went there was.</summary>
    private void SwapIn(MachineState state, AddressSpace space, Pte old, int frame)
    {
        if (old.IsSwap && old.Frame < _machine.Paging.PageCount && state.Read(SlotOf(space, old.Frame)) != 0)
        {
            state.Write(SlotOf(space, old.Frame), 0);
            state.Write(_marked + frame, state.Read(_marked + frame) | Bit(space));
        }
    }

    private bool IsMarked(MachineState state, AddressSpace space, int frame) => (state.Read(_marked + frame) & Bit(space)) != 0;

    private static ulong Bit(AddressSpace space) => 1UL << space.Index;

    private int Mapped(AddressSpace space, int page) => _mapped + (space.Index * _machine.Paging.PageCount) + page;

    private int SlotOf(AddressSpace space, int page) => _swapped + (space.Index * _machine.Paging.PageCount) + page;
}
