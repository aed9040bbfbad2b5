using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-pin: a call that looks up pages for somebody to hold returns only a page that was mapped at the address, with the rights that
/// were asked for, at some instant between call and return. Anonymous memory that is pinned stays what the address maps until it is
/// unpinned, or until the process itself gives the address up: otherwise a device and the process no longer see each other's
/// stores.
/// </summary>
/// <remarks>
/// A word for every call in a program: while it runs, the set of frames that were mapped meanwhile; when it has returned, the frame.
/// "Gives up" is a call that promises removal of the page (munmap, madvise, mremap), from when it begins until it returns.
/// </remarks>
/// <param name="judgesSharing">
/// True to judge a pinned page when another address space gets to map it, where else the process's next store would be judged, which goes to
/// a copy: for programs in which nobody makes that store.
/// </param>
public sealed class PPin(bool judgesSharing = false) : Property
{
    private const int FramesMax = 60;
    private const ulong RunningBit = 1UL << 63;
    private const ulong HeldBit = 1UL << 62;
    private const ulong GivenUpBit = 1UL << 61;
    private MachineModel _machine = null!;
    private int _requests;
    private int _removals;

    /// <inheritdoc/>
    public override string Id => "P-pin";

    /// <inheritdoc/>
    public override string JudgementText => "pages that lookups return, and changes of entries of pinned pages";

    /// <inheritdoc/>
    public override void OnPinBegins(MachineState state, PinRequest request)
    {
        bool givenUp = false;
        for (int i = 0; i < _machine.Promises.Count; i++)
        {
            givenUp |= Removes(_machine.Promises[i], request) && state.Read(_removals + i) != 0;
        }

        Pte now = TlbInspector.CurrentLeaf(state, request.Space, request.Page);
        state.Write(WordOf(request), RunningBit | (givenUp ? GivenUpBit : 0) | (Grants(now, request) ? 1UL << now.Frame : 0));
    }

    /// <inheritdoc/>
    public override void OnPinReturns(MachineState state, PinRequest request, int frame)
    {
        ulong word = state.Read(WordOf(request));
        state.Write(WordOf(request), 0);
        if (frame < 0)
        {
            return;
        }

        Judge(state);
        if ((word & (1UL << frame)) == 0)
        {
            string rights = request.Write ? " for writing" : string.Empty;
            Report(state, $"{request.Function} returns frame {frame}, which {Paging.AddressText(request.Page)} did not map{rights} "
                + "at any time during the call.");
            return;
        }

        if (request.StaysMapped && (word & GivenUpBit) == 0)
        {
            state.Write(WordOf(request), HeldBit | (uint)frame);
            JudgeMapped(state, request, frame, TlbInspector.CurrentLeaf(state, request.Space, request.Page));
            foreach (AddressSpace other in _machine.Paging.Spaces)
            {
                JudgeSharing(state, request, frame, other, TlbInspector.CurrentLeaf(state, other, request.Page));
            }
        }
    }

    /// <inheritdoc/>
    public override void OnPinEnds(MachineState state, PinRequest request) => state.Write(WordOf(request), 0);

    /// <inheritdoc/>
    public override void OnPromiseBegins(MachineState state, Promise promise)
    {
        foreach (PinRequest request in _machine.PinRequests)
        {
            ulong word = state.Read(WordOf(request));
            if (Removes(promise, request))
            {
                state.Write(_removals + IndexOf(promise), 1);
                state.Write(WordOf(request), (word & HeldBit) != 0 ? 0 : (word & RunningBit) != 0 ? word | GivenUpBit : word);
            }
        }
    }

    /// <inheritdoc/>
    public override void OnPromiseReturns(MachineState state, Promise promise) => state.Write(_removals + IndexOf(promise), 0);

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
        => Look(state, space, page);

    /// <inheritdoc/>
    public override void OnTableChanged(MachineState state, AddressSpace space, int page, int count)
    {
        for (int each = page; each < page + count; each++)
        {
            Look(state, space, each);
        }
    }

    /// <inheritdoc/>
    public override void AddPinFootprint(Footprint footprint, PinRequest request)
    {
        footprint.Write(WordOf(request));
        TlbInspector.AddFootprint(footprint, _machine, request.Page);
        for (int i = 0; i < _machine.Promises.Count; i++)
        {
            if (Removes(_machine.Promises[i], request))
            {
                footprint.Read(_removals + i);
            }
        }
    }

    /// <inheritdoc/>
    public override void AddPromiseFootprint(Footprint footprint, Promise promise)
    {
        footprint.Write(_removals + IndexOf(promise));
        foreach (PinRequest request in _machine.PinRequests.Where(request => Removes(promise, request)))
        {
            footprint.Write(WordOf(request));
        }
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
    {
        foreach (PinRequest request in _machine.PinRequests.Where(request => request.Page == page))
        {
            footprint.Write(WordOf(request));
            TlbInspector.AddFootprint(footprint, _machine, page);
        }
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        if (machine.Paging.Frames.Count > FramesMax)
        {
            throw new ArgumentException($"P-pin knows {FramesMax} frames; this machine has {machine.Paging.Frames.Count}: lower its bounds");
        }

        _machine = machine;
        _requests = machine.AllocateRange("p_pin.requests", WordKind.Hardware, machine.PinRequests.Count);
        _removals = machine.AllocateRange("p_pin.removals", WordKind.Hardware, machine.Promises.Count);
    }

    /// <summary>What the address maps now: the table that changed need not be the one that is hooked in.</summary>
    private void Look(MachineState state, AddressSpace space, int page)
    {
        Pte value = TlbInspector.CurrentLeaf(state, space, page);
        foreach (PinRequest request in _machine.PinRequests)
        {
            ulong word = request.Page == page ? state.Read(WordOf(request)) : 0;
            if (request.Space != space)
            {
                JudgeSharing(state, request, (word & HeldBit) != 0 ? (int)(word & ushort.MaxValue) : -1, space, value);
            }
            else if ((word & RunningBit) != 0 && Grants(value, request))
            {
                state.Write(WordOf(request), word | (1UL << value.Frame));
            }
            else if ((word & HeldBit) != 0)
            {
                JudgeMapped(state, request, (int)(word & ushort.MaxValue), value);
            }
        }
    }

    /// <summary>An empty entry is on its way to something; what takes the page's place is what counts.</summary>
    private void JudgeMapped(MachineState state, PinRequest request, int frame, Pte value)
    {
        if (!value.MapsFrame)
        {
            return;
        }

        Judge(state);
        if (value.Frame != frame)
        {
            Report(state, $"{Paging.AddressText(request.Page)} maps frame {value.Frame}, but frame {frame}, which {request.Function} "
                + $"returned, is still pinned: whoever holds the pin and the process no longer see each other's stores.");
        }
    }

    private void JudgeSharing(MachineState state, PinRequest request, int frame, AddressSpace other, Pte value)
    {
        if (judgesSharing && other != request.Space && value.MapsFrame && value.Frame == frame)
        {
            Report(state, $"{other} maps frame {frame} at {Paging.AddressText(request.Page)}, which {request.Function} returned to {request.Space} "
                + "and which is still pinned: the next store of either process goes to a copy, and whoever holds the pin does not see it.");
        }
    }

    private static bool Grants(Pte entry, PinRequest request)
        => entry.MapsFrame && (entry.Write || !request.Write || request.Force);

    private static bool Removes(Promise promise, PinRequest request) => promise.Kind == PromiseKind.Removed
        && promise.Space == request.Space && request.Page >= promise.FirstPage && request.Page < promise.FirstPage + promise.PageCount;

    private int WordOf(PinRequest request)
    {
        for (int i = 0; i < _machine.PinRequests.Count; i++)
        {
            if (_machine.PinRequests[i] == request)
            {
                return _requests + i;
            }
        }

        throw new ArgumentException("the request belongs to another machine", nameof(request));
    }

    private int IndexOf(Promise promise)
    {
        for (int i = 0; i < _machine.Promises.Count; i++)
        {
            if (_machine.Promises[i] == promise)
            {
                return i;
            }
        }

        throw new ArgumentException("the promise belongs to another machine", nameof(promise));
    }
}
