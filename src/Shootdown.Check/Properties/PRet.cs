using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-ret: when an operation that promised removal or downgrade of a range has returned, no access goes through a translation
/// of that range that existed before the call and contradicts the promise.
/// </summary>
/// <remarks>
/// <para>A word for every page of the call, and one for every page after its return, says "all translations that existed when
/// the call began are ruled out" and lists, in the same set, those that were put into the entry since and are therefore
/// exempt. An access through a stale translation that is ruled out violates the promise. The access must really happen: a
/// lazy CPU, or one that flushes before it returns to user mode, may keep old entries.</para>
/// <para>When an entry is set and no TLB holds anything that is ruled out, the promise has nothing left to rule out and is
/// forgotten. With <paramref name="forgetsAtReturn"/> the same is done when the call returns: fewer states in programs
/// that promise for ever, but the return then reads all TLBs, which reduction must respect.</para>
/// </remarks>
/// <param name="forgetsAtReturn">True to look at all TLBs when a call returns.</param>
/// <param name="knowledge">
/// Says which CPUs flush before their next access; null to judge accesses only. With it the return itself is judged too: no CPU that runs
/// user code may be left with a translation that is ruled out, whether or not a program goes on to use it.
/// </param>
public sealed class PRet(bool forgetsAtReturn = false, IFlushKnowledge? knowledge = null) : Property
{
    private static readonly PromiseKind[] Kinds = [PromiseKind.Removed, PromiseKind.WriteProtected];
    private readonly Dictionary<Promise, int> _noted = [];
    private MachineModel _machine = null!;
    private int _forbidden;
    private int _forbiddenStores;

    /// <inheritdoc/>
    public override string Id => "P-ret";

    /// <inheritdoc/>
    public override string JudgementText => "accesses and faults while a returned promise holds";

    /// <inheritdoc/>
    public override void OnPromiseBegins(MachineState state, Promise promise)
    {
        for (int i = 0; promise.Kind.RulesOutTranslations() && i < promise.PageCount; i++)
        {
            state.Write(_noted[promise] + i, Marker(promise.FirstPage + i).Bits);
        }
    }

    /// <inheritdoc/>
    public override void OnPromiseReturns(MachineState state, Promise promise)
    {
        for (int i = 0; promise.Kind.RulesOutTranslations() && i < promise.PageCount; i++)
        {
            int page = promise.FirstPage + i;
            int address = Forbidden(promise.Kind, promise.Space, page);
            ulong noted = state.Read(_noted[promise] + i);
            ulong before = state.Read(address);
            foreach (Translation exempt in TlbInspector.Members(before == 0 ? 0 : noted))
            {
                noted = TlbInspector.Contains(before, exempt) ? noted : TlbInspector.Remove(noted, exempt);
            }

            state.Write(address, noted);
            state.Write(_noted[promise] + i, 0);
            if (knowledge is not null)
            {
                JudgeReturn(state, promise, page, noted);
            }

            if (forgetsAtReturn)
            {
                Judge(state);
                ForgetIfNothingIsHeld(state, promise.Kind, promise.Space, page);
            }
        }
    }

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        if (!value.Present)
        {
            return;
        }

        Translation now = TlbInspector.Plain(Translation.Of(value));
        foreach (Promise promise in _noted.Keys)
        {
            if (promise.Space == space && page >= promise.FirstPage && page < promise.FirstPage + promise.PageCount)
            {
                Exempt(state, _noted[promise] + page - promise.FirstPage, now);
            }
        }

        foreach (PromiseKind kind in Kinds)
        {
            Exempt(state, Forbidden(kind, space, page), now);
            ForgetIfNothingIsHeld(state, kind, space, page);
        }
    }

    /// <inheritdoc/>
    public override void OnFault(MachineState state, Cpu cpu, AddressSpace space, int page, bool write)
    {
        if (state.Read(Forbidden(PromiseKind.Removed, space, page)) != 0
            || (write && state.Read(Forbidden(PromiseKind.WriteProtected, space, page)) != 0))
        {
            Judge(state);
        }
    }

    /// <inheritdoc/>
    public override void OnAccess(MachineState state, in AccessEvent access)
    {
        foreach (PromiseKind kind in Kinds)
        {
            ulong set = state.Read(Forbidden(kind, access.Space, access.Page));
            if (set == 0 || (kind == PromiseKind.WriteProtected && !access.IsWrite))
            {
                continue;
            }

            Judge(state);
            Translation used = TlbInspector.Plain(access.Translation);
            if (access.IsStale && !IsExempt(set, used))
            {
                string what = access.IsWrite ? "written" : "read";
                string still = access.IsWrite ? ", writable" : string.Empty;
                Report(state, $"In this case {Paging.AddressText(access.Page)} may still be {what} through the stale "
                    + $"{access.Entry} of {access.Who} (frame {used.Frame}{still}) after {PromiseOf(kind, access).Function} returned.");
            }
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

        TlbInspector.AddFootprint(footprint, _machine, page);
        foreach (Promise promise in _noted.Keys)
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
        if (!promise.Kind.RulesOutTranslations())
        {
            return;
        }

        footprint.WriteRange(_noted[promise], promise.PageCount);
        for (int page = promise.FirstPage; page < promise.FirstPage + promise.PageCount; page++)
        {
            footprint.Write(Forbidden(promise.Kind, promise.Space, page));
            if (forgetsAtReturn || knowledge is not null)
            {
                TlbInspector.AddFootprint(footprint, _machine, page);
                footprint.ReadAll(knowledge?.Words ?? []);
            }
        }
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        int words = machine.Paging.Spaces.Count * machine.Paging.PageCount;
        _forbidden = machine.AllocateRange("p_ret.removed", WordKind.Hardware, words);
        _forbiddenStores = machine.AllocateRange("p_ret.write_protected", WordKind.Hardware, words);
        int pages = machine.Paging.PageCount;
        for (int i = 0; i < words; i++)
        {
            machine.Describe(_forbidden + i, new WordPlace($"p_ret.removed {i / pages}", Page: i % pages, Meaning: WordMeaning.Translations));
            machine.Describe(_forbiddenStores + i, new WordPlace(
                $"p_ret.write_protected {i / pages}", Page: i % pages, Meaning: WordMeaning.Translations));
        }

        var alike = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (Promise promise in machine.Promises.Where(one => one.Kind.RulesOutTranslations()))
        {
            int noted = machine.AllocateRange("p_ret.noted", WordKind.Hardware, promise.PageCount);
            _noted.Add(promise, noted);
            string family = $"p_ret.noted {promise.Space.Index} {promise.Kind} {promise.PageCount}";
            string place = $"{family} {promise.Cpu.Index} {promise.FirstPage}";
            int number = alike[place] = alike.GetValueOrDefault(place) + 1;
            for (int i = 0; i < promise.PageCount; i++)
            {
                machine.Describe(noted + i, new WordPlace(
                    $"{family} {number}", promise.Cpu.Index, Page: promise.FirstPage + i, Meaning: WordMeaning.Translations));
            }
        }
    }

    private void JudgeReturn(MachineState state, Promise promise, int page, ulong exempt)
    {
        Judge(state);
        JudgeEntry(state, promise, page, exempt);
        foreach ((SoftwareMmu mmu, Translation held) in TlbInspector.HeldBySecondaries(state, promise.Space, page))
        {
            if ((promise.Kind == PromiseKind.Removed || held.Write) && !IsExempt(exempt, held) && !TlbInspector.Contains(exempt, PartOfHuge(held)))
            {
                Report(state, $"{promise.Function} returns while {mmu} may still reach {Paging.AddressText(page)} "
                    + $"(frame {held.Frame}{(held.Write ? ", writable" : string.Empty)}).");
            }
        }

        foreach (Cpu cpu in _machine.Translators)
        {
            foreach (Translation cached in knowledge!.WillFlushFirst(state, cpu)
                ? [] : TlbInspector.Usable(state, cpu, promise.Space, page).Select(TlbInspector.Plain))
            {
                if ((promise.Kind == PromiseKind.Removed || cached.Write) && !TlbInspector.Contains(exempt, cached))
                {
                    string what = promise.Kind == PromiseKind.Removed ? "read" : "written";
                    Report(state, $"{promise.Function} returns while {Paging.AddressText(page)} may still be {what} through the stale TLB entry "
                        + $"of {cpu} (frame {cached.Frame}{(cached.Write ? ", writable" : string.Empty)}).");
                }
            }
        }
    }

    /// <summary>The call has left an entry as it found it. Where pages are pinned fork copies them, and leaves the parent's entry.</summary>
    private void JudgeEntry(MachineState state, Promise promise, int page, ulong exempt)
    {
        if (promise.Kind != PromiseKind.Removed && _machine.PinRequests.Count > 0)
        {
            return;
        }

        Translation current = TlbInspector.Plain(Translation.Of(TlbInspector.CurrentLeaf(state, promise.Space, page)));
        if (!current.IsNone && (promise.Kind == PromiseKind.Removed || current.Write) && !TlbInspector.Contains(exempt, current))
        {
            Report(state, $"{promise.Function} returns, and the entry of {Paging.AddressText(page)} is as it was "
                + $"(frame {current.Frame}{(current.Write ? ", writable" : string.Empty)}).");
        }
    }

    /// <summary>A secondary MMU may have got the right to load only, from an entry that allows stores.</summary>
    private static bool IsExempt(ulong exempt, Translation held) => TlbInspector.Contains(exempt, TlbInspector.Plain(held))
        || TlbInspector.Contains(exempt, TlbInspector.Plain(Translation.Of(Pte.Leaf(held.Frame, write: true))));

    /// <summary>What a huge entry of the page tables gives a page that a secondary MMU maps by a small one.</summary>
    private static Translation PartOfHuge(Translation held)
        => TlbInspector.Plain(Translation.Of(Pte.Leaf(held.Frame, held.Write).With(Pte.HugeBit)));

    /// <summary>The member of a set that says that the promise is in force; no translation looks like it.</summary>
    private Translation Marker(int page)
        => TlbInspector.NoTranslation(page % _machine.Options.FrameColours);

    private static void Exempt(MachineState state, int address, Translation now)
    {
        ulong set = state.Read(address);
        if (set != 0)
        {
            state.Write(address, TlbInspector.Add(set, now));
        }
    }

    private void ForgetIfNothingIsHeld(MachineState state, PromiseKind kind, AddressSpace space, int page)
    {
        int address = Forbidden(kind, space, page);
        ulong set = state.Read(address);
        if (set == 0)
        {
            return;
        }

        foreach (Translation held in TlbInspector.Possible(state, space, page))
        {
            if ((kind == PromiseKind.Removed || held.Write) && !TlbInspector.Contains(set, TlbInspector.Plain(held)))
            {
                return;
            }
        }

        state.Write(address, 0);
    }

    private int Forbidden(PromiseKind kind, AddressSpace space, int page)
        => (kind == PromiseKind.Removed ? _forbidden : _forbiddenStores) + (space.Index * _machine.Paging.PageCount) + page;

    private Promise PromiseOf(PromiseKind kind, AccessEvent access) => _machine.Promises.First(promise
        => promise.Kind.RulesOutTranslations() && (promise.Kind == PromiseKind.Removed) == (kind == PromiseKind.Removed)
        && promise.Space == access.Space && access.Page >= promise.FirstPage && access.Page < promise.FirstPage + promise.PageCount);
}
