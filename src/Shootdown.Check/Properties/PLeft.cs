using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-left: when all programs have ended, nothing is left behind: no lock is held, no interrupt is off, what counts something under way is
/// back at its value, entries are within areas and their rights, every page table is in use, and every frame has as many references and mappings as
/// there are users of it. One reference too many is a page that is never freed; one too few a page that is freed while somebody uses it.
/// </summary>
/// <remarks>
/// Users of a frame are the entries that map it, in all address spaces, the page cache, and whoever had a reference at the start besides.
/// The references of frames that had such ones are not counted: whose they are is not known. Where a program waits for ever nothing is judged.
/// </remarks>
/// <param name="pageCache">The words of the page cache, each frame + 1 or 0.</param>
/// <param name="countsReferences">True for a page of an address space whose entry holds a reference of what it maps.</param>
/// <param name="countsMappings">True for one whose entry is counted in <see cref="FrameWords.MapCount"/>.</param>
public sealed class PLeft(
    IReadOnlyList<Word> pageCache, Func<AddressSpace, int, bool> countsReferences, Func<AddressSpace, int, bool> countsMappings) : Property
{
    private MachineModel _machine = null!;
    private Lazy<(MachineState State, Users[] Users)> _initial = null!;

    /// <summary>Words of the kernel that say whether something is under way.</summary>
    public IReadOnlyList<RestingWord> AtRest { get; init; } = [];

    /// <summary>False where programs take pages away whose users the machine does not have.</summary>
    public bool JudgesFrames { get; init; } = true;

    /// <summary>Says whether a page of an address space may be mapped in a state, and be written. Null if it is not known.</summary>
    public Func<MachineState, AddressSpace, int, (bool Mapped, bool Written)>? Allowed { get; init; }

    /// <summary>Tables + 1 that are put by for later, or 0 (<c>pgtable_trans_huge_deposit</c>).</summary>
    public IReadOnlyList<Word> Deposited { get; init; } = [];

    /// <summary>
    /// Where the page cache may hold huge folios: as <see cref="PWrite.Folios"/>. Their mappings are counted for the whole of them, and not judged.
    /// </summary>
    public IReadOnlyList<Word> Folios { get; init; } = [];

    /// <inheritdoc/>
    public override string Id => "P-left";

    /// <inheritdoc/>
    public override string JudgementText => "locks, counts and references at the end";

    /// <inheritdoc/>
    public override void OnFinal(MachineState state)
    {
        if (!AllHaveEnded(state))
        {
            return;
        }

        Judge(state);
        foreach (string held in LeftBehind.Of(state))
        {
            Report(state, $"All programs have ended, and {held}.");
        }

        foreach (RestingWord rest in AtRest.Where(rest => !rest.IsAtRest(state.Read(rest.Word.Address))))
        {
            Report(state, $"All programs have ended, and {rest.Word.Name} is {rest.Word.Show(state.Read(rest.Word.Address))}: {rest.Otherwise}.");
        }

        JudgeAreas(state);
        JudgeTables(state);
        if (JudgesFrames)
        {
            JudgeFrames(state);
        }
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _initial = new(Before);
    }

    private (MachineState State, Users[] Users) Before()
    {
        var initial = new MachineState(_machine);
        return (initial, UsersOf(initial));
    }

    private void JudgeAreas(MachineState state)
    {
        foreach (AddressSpace space in Allowed is null ? [] : _machine.Paging.Spaces)
        {
            for (int page = 0; page < _machine.Paging.PageCount; page++)
            {
                Pte entry = TlbInspector.CurrentLeaf(state, space, page);
                (bool mapped, bool written) = Allowed!(state, space, page);
                if (!entry.IsNone && !(mapped && (written || !entry.Present || !entry.Write)))
                {
                    Report(state, $"All programs have ended, and {space} has an entry at {Paging.AddressText(page)} ({entry}), where "
                        + (mapped ? "its area allows no stores." : "it has no area."));
                }
            }
        }
    }

    private void JudgeTables(MachineState state)
    {
        foreach (int table in LeftBehind.LostTables(state, [.. Deposited.Select(word => (int)state.Read(word.Address) - 1)]))
        {
            Report(state, $"All programs have ended, and page table {table} is in nobody's page tables: it is never freed.");
        }
    }

    private void JudgeFrames(MachineState state)
    {
        Users[] users = UsersOf(state);
        (MachineState initial, Users[] before) = _initial.Value;
        for (int frame = 0; frame < users.Length; frame++)
        {
            if (TlbInspector.IsAllocated(state, frame))
            {
                JudgeReferences(state, initial, frame, users[frame].References, before[frame].References);
                JudgeMappings(state, initial, frame, users[frame].Mappings, before[frame].Mappings);
            }
        }
    }

    private void JudgeReferences(MachineState state, MachineState initial, int frame, ulong users, ulong usersBefore)
    {
        Word count = _machine.Paging.Frames[frame].RefCount;
        ulong references = state.Read(count.Address);
        ulong referencesBefore = initial.Read(count.Address);
        bool neverCounted = referencesBefore == 0 && TlbInspector.IsAllocated(initial, frame);
        if (references == 0 && users == 0 && !neverCounted)
        {
            Report(state, $"All programs have ended, and nobody refers to frame {frame}, which was not given back to the allocator.");
        }

        if (referencesBefore == usersBefore && references != users)
        {
            Report(state, $"All programs have ended, and {count.Name} is {references}, with {users} users: "
                + (references > users ? "the page is never freed." : "it will be freed while it is used."));
        }
    }

    private void JudgeMappings(MachineState state, MachineState initial, int frame, ulong mapped, ulong mappedBefore)
    {
        Word count = _machine.Paging.Frames[frame].MapCount;
        ulong mappings = state.Read(count.Address);
        bool isPartOfHuge = Folios.Count > 0 && state.Read(Folios[frame].Address) != 0;
        if (!isPartOfHuge && initial.Read(count.Address) == mappedBefore && mappings != mapped)
        {
            Report(state, $"All programs have ended, and {count.Name} is {(long)mappings}, with {mapped} entries that map the page.");
        }
    }

    /// <summary>For every frame, how many references entries and the page cache hold, and how many entries are counted as mappings.</summary>
    private Users[] UsersOf(MachineState state)
    {
        var users = new Users[_machine.Paging.Frames.Count];
        foreach (Word cached in pageCache.Where(cached => state.Read(cached.Address) != 0))
        {
            users[state.Read(cached.Address) - 1].References++;
        }

        foreach (AddressSpace space in _machine.Paging.Spaces)
        {
            for (int page = 0; page < _machine.Paging.PageCount; page++)
            {
                Pte entry = TlbInspector.CurrentLeaf(state, space, page);
                if (entry.MapsFrame)
                {
                    users[entry.Frame].References += countsReferences(space, page) ? 1UL : 0;
                    users[entry.Frame].Mappings += countsMappings(space, page) ? 1UL : 0;
                }
            }
        }

        return users;
    }

    private struct Users
    {
        internal ulong References;
        internal ulong Mappings;
    }
}

/// <summary>A word of the kernel that says whether something is under way.</summary>
/// <param name="Word">The word.</param>
/// <param name="IsAtRest">True for the values that it may have when nothing is.</param>
/// <param name="Otherwise">What another value means, as the end of a sentence.</param>
public sealed record RestingWord(Word Word, Func<ulong, bool> IsAtRest, string Otherwise);
