using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-ret: when an operation that promised removal or downgrade of a range has returned, no access goes through a translation
/// of that range that existed before the call and contradicts the promise.
/// </summary>
/// <remarks>
/// At the call, every translation of the range that exists (current or still cached somewhere) and that the promise rules out
/// is noted; a store of the same value into the entry takes it off the note again. From the return on, an access through a
/// noted translation that some TLB still holds violates the promise. An access by hardware that is really made is judged, not a possibility: a lazy
/// CPU or one that flushes before it returns to user mode may keep old entries.
/// </remarks>
public sealed class PRet : Property
{
    private readonly Dictionary<Promise, int> _noted = [];
    private MachineModel _machine = null!;
    private int _forbidden;
    private int _forbiddenStores;

    /// <inheritdoc/>
    public override string Id => "P-ret";

    /// <inheritdoc/>
    public override string JudgementText => "returns with older translations to rule out, and stale accesses after them";

    /// <inheritdoc/>
    public override void OnPromiseBegins(MachineState state, Promise promise)
    {
        for (int i = 0; i < promise.PageCount; i++)
        {
            int page = promise.FirstPage + i;
            ulong noted = 0;
            foreach (Translation value in TlbInspector.Possible(state, promise.Space, page))
            {
                if (promise.Kind == PromiseKind.Removed || value.Write)
                {
                    noted = TlbInspector.Add(noted, TlbInspector.Plain(value));
                }
            }

            state.Write(_noted[promise] + i, noted);
        }
    }

    /// <inheritdoc/>
    public override void OnPromiseReturns(MachineState state, Promise promise)
    {
        for (int i = 0; i < promise.PageCount; i++)
        {
            int address = Forbidden(promise.Kind, promise.Space, promise.FirstPage + i);
            ulong set = state.Read(address);
            ulong noted = state.Read(_noted[promise] + i);
            if (noted != 0)
            {
                Judge(state);
            }

            foreach (Translation value in TlbInspector.Members(noted))
            {
                // What no TLB holds any more can only come back through a new entry, and then it is no old translation.
                set = IsHeld(state, promise, promise.FirstPage + i, value) ? TlbInspector.Add(set, value) : set;
            }

            state.Write(address, set);
            state.Write(_noted[promise] + i, 0);
        }
    }

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        Translation now = Translation.Of(value);
        if (now.IsNone)
        {
            return;
        }

        Forget(state, Forbidden(PromiseKind.Removed, space, page), now);
        Forget(state, Forbidden(PromiseKind.WriteProtected, space, page), now);
        foreach (Promise promise in _machine.Promises)
        {
            if (promise.Space == space && page >= promise.FirstPage && page < promise.FirstPage + promise.PageCount)
            {
                Forget(state, _noted[promise] + page - promise.FirstPage, now);
            }
        }
    }

    /// <inheritdoc/>
    public override void OnAccess(MachineState state, in AccessEvent access)
    {
        ulong removed = state.Read(Forbidden(PromiseKind.Removed, access.Space, access.Page));
        ulong protectedOnly = access.IsWrite ? state.Read(Forbidden(PromiseKind.WriteProtected, access.Space, access.Page)) : 0;
        if (!access.IsStale || (removed | protectedOnly) == 0)
        {
            return;
        }

        Judge(state);
        Translation used = TlbInspector.Plain(access.Translation);
        bool afterRemoval = TlbInspector.Contains(removed, used);
        if (afterRemoval || TlbInspector.Contains(protectedOnly, used))
        {
            Promise promise = PromiseOf(afterRemoval ? PromiseKind.Removed : PromiseKind.WriteProtected, access);
            string what = access.IsWrite ? "written" : "read";
            string still = access.IsWrite ? ", writable," : string.Empty;
            Report(state, $"In this case {Paging.AddressText(access.Page)} may still be {what} through the stale TLB entry "
                + $"of {access.Cpu} (frame {used.Frame}{still}) after {promise.Function} returned.");
        }
    }

    /// <inheritdoc/>
    public override void AddAccessFootprint(Footprint footprint, AddressSpace? space, int page)
    {
        footprint.Read(Forbidden(PromiseKind.Removed, space!, page));
        footprint.Read(Forbidden(PromiseKind.WriteProtected, space!, page));
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
    {
        foreach (AddressSpace space in _machine.Paging.Spaces)
        {
            footprint.Write(Forbidden(PromiseKind.Removed, space, page));
            footprint.Write(Forbidden(PromiseKind.WriteProtected, space, page));
        }

        foreach (Promise promise in _machine.Promises)
        {
            if (page >= promise.FirstPage && page < promise.FirstPage + promise.PageCount)
            {
                footprint.Write(_noted[promise] + page - promise.FirstPage);
            }
        }
    }

    /// <inheritdoc/>
    public override void AddPromiseFootprint(Footprint footprint, Promise promise)
    {
        footprint.WriteRange(_noted[promise], promise.PageCount);
        for (int page = promise.FirstPage; page < promise.FirstPage + promise.PageCount; page++)
        {
            footprint.Write(Forbidden(promise.Kind, promise.Space, page));
            TlbInspector.AddFootprint(footprint, _machine, page);
        }
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        int words = machine.Paging.Spaces.Count * machine.Paging.PageCount;
        _forbidden = machine.AllocateRange("p_ret.removed", WordKind.Hardware, words);
        _forbiddenStores = machine.AllocateRange("p_ret.write_protected", WordKind.Hardware, words);
        foreach (Promise promise in machine.Promises)
        {
            _noted.Add(promise, machine.AllocateRange("p_ret.noted", WordKind.Hardware, promise.PageCount));
        }
    }

    private static bool IsHeld(MachineState state, Promise promise, int page, Translation value)
    {
        foreach (Translation held in TlbInspector.Possible(state, promise.Space, page))
        {
            if (TlbInspector.Plain(held) == value)
            {
                return true;
            }
        }

        return false;
    }

    private static void Forget(MachineState state, int address, Translation now)
    {
        ulong set = state.Read(address);
        if (set != 0)
        {
            state.Write(address, TlbInspector.Remove(set, TlbInspector.Plain(now)));
        }
    }

    private int Forbidden(PromiseKind kind, AddressSpace space, int page)
        => (kind == PromiseKind.Removed ? _forbidden : _forbiddenStores) + (space.Index * _machine.Paging.PageCount) + page;

    private Promise PromiseOf(PromiseKind kind, AccessEvent access) => _machine.Promises.First(promise => promise.Kind == kind
        && promise.Space == access.Space && access.Page >= promise.FirstPage && access.Page < promise.FirstPage + promise.PageCount);
}
