using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-left: when all programs have ended, nothing is left behind: no lock is held, no interrupt is off, what counts something under way is
/// back at its value, no page is lost, nothing is mapped outside of areas, and every frame has as many references and mappings as there are users
/// of it. One reference too many is a page that is never freed; one too few a page that is freed while somebody uses it.
/// </summary>
/// <remarks>
/// Users of a frame are the entries that map it, in all address spaces, the page cache, and whoever had a reference at the start besides.
/// Frames with references of that kind are not judged once their number changes: whose they are is not known. Where a program waits for ever
/// nothing is judged.
/// </remarks>
/// <param name="pageCache">The words of the page cache, each frame + 1 or 0.</param>
/// <param name="countsReferences">True for a page of an address space whose entry holds a reference of what it maps.</param>
/// <param name="countsMappings">True for one whose entry is counted in <see cref="FrameWords.MapCount"/>.</param>
public sealed class PLeft(
    IReadOnlyList<Word> pageCache, Func<AddressSpace, int, bool> countsReferences, Func<AddressSpace, int, bool> countsMappings) : Property
{
    private MachineModel _machine = null!;
    private Lazy<MachineState> _initial = null!;

    /// <summary>Words that must have their initial value again, e.g. <c>tlb_flush_pending</c>.</summary>
    public IReadOnlyList<Word> AtRest { get; init; } = [];

    /// <summary>False where programs take pages away whose users the machine does not have.</summary>
    public bool JudgesFrames { get; init; } = true;

    /// <summary>Pages of address spaces that must be there at the end, as a page, a migration entry or in swap: nobody gave their contents up.</summary>
    public IReadOnlyList<(AddressSpace Space, int Page)> Kept { get; init; } = [];

    /// <summary>Says where an address space has areas in a state; null if that is not known. Outside of them nothing may be mapped.</summary>
    public Func<MachineState, AddressSpace, int, bool>? IsInArea { get; init; }

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
        ArgumentNullException.ThrowIfNull(state);
        if (_machine.Agents.Any(agent => agent.Kind == AgentKind.Task && state.LocalOf(agent.Index).Operation is not null))
        {
            return;
        }

        Judge(state);
        foreach (string held in LeftBehind.Of(state))
        {
            Report(state, $"All programs have ended, and {held}.");
        }

        foreach (Word word in AtRest.Where(word => state.Read(word.Address) != _initial.Value.Read(word.Address)))
        {
            Report(state, $"All programs have ended, and {word.Name} is {(long)state.Read(word.Address)}, not "
                + $"{(long)_initial.Value.Read(word.Address)} as before.");
        }

        foreach ((AddressSpace space, int page) in Kept.Where(kept => TlbInspector.CurrentLeaf(state, kept.Space, kept.Page).IsNone))
        {
            Report(state, $"All programs have ended, and {space} has lost its page at {Paging.AddressText(page)}: nobody gave it up, and there is no entry.");
        }

        JudgeAreas(state);
        for (int frame = 0; JudgesFrames && frame < _machine.Paging.Frames.Count; frame++)
        {
            JudgeFrame(state, frame);
        }
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _initial = new Lazy<MachineState>(() => new MachineState(machine));
    }

    private void JudgeAreas(MachineState state)
    {
        foreach (AddressSpace space in IsInArea is null ? [] : _machine.Paging.Spaces)
        {
            for (int page = 0; page < _machine.Paging.PageCount; page++)
            {
                Pte entry = TlbInspector.CurrentLeaf(state, space, page);
                if (!entry.IsNone && !IsInArea!(state, space, page))
                {
                    Report(state, $"All programs have ended, and {space} has an entry at {Paging.AddressText(page)} ({entry}), where it has no area.");
                }
            }
        }
    }

    private void JudgeFrame(MachineState state, int frame)
    {
        if (!TlbInspector.IsAllocated(state, frame))
        {
            return;
        }

        FrameWords words = _machine.Paging.Frames[frame];
        (ulong users, ulong mapped) = UsersOf(state, frame);
        (ulong usersBefore, ulong mappedBefore) = UsersOf(_initial.Value, frame);
        ulong references = state.Read(words.RefCount.Address);
        ulong others = _initial.Value.Read(words.RefCount.Address) - usersBefore;
        if (others == 0 && references != users)
        {
            Report(state, $"All programs have ended, and {words.RefCount.Name} is {references}, with {users} users: "
                + (references > users ? "the page is never freed." : "it will be freed while it is used."));
        }

        ulong mappings = state.Read(words.MapCount.Address);
        if (!IsPartOfHuge(state, frame) && _initial.Value.Read(words.MapCount.Address) == mappedBefore && mappings != mapped)
        {
            Report(state, $"All programs have ended, and {words.MapCount.Name} is {(long)mappings}, with {mapped} entries that map the page.");
        }
    }

    private bool IsPartOfHuge(MachineState state, int frame) => Folios.Count > 0 && state.Read(Folios[frame].Address) != 0;

    /// <summary>How many references of a frame entries and the page cache hold, and how many entries are counted as mappings.</summary>
    private (ulong References, ulong Mappings) UsersOf(MachineState state, int frame)
    {
        ulong references = (ulong)pageCache.Count(cached => state.Read(cached.Address) == (ulong)frame + 1);
        ulong mappings = 0;
        foreach (AddressSpace space in _machine.Paging.Spaces)
        {
            for (int page = 0; page < _machine.Paging.PageCount; page++)
            {
                Pte entry = TlbInspector.CurrentLeaf(state, space, page);
                bool isUser = entry.MapsFrame && entry.Frame == frame;
                references += isUser && countsReferences(space, page) ? 1UL : 0;
                mappings += isUser && countsMappings(space, page) ? 1UL : 0;
            }
        }

        return (references, mappings);
    }
}
