using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-left: when all programs have ended, nothing is left behind: no lock is held, no interrupt is off, what counts something under way is
/// back at its value, entries are within areas and their rights, every page table is in use, and every frame has as many references and mappings as
/// there are users of it. One reference too many is a page that is never freed; one too few a page that is freed while somebody uses it.
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

    /// <summary>Words that must be even, e.g. of sequence counters.</summary>
    public IReadOnlyList<Word> Even { get; init; } = [];

    /// <summary>Words, and the value that they may have only for a time, e.g. <c>LOADED_MM_SWITCHING</c>.</summary>
    public IReadOnlyList<(Word Word, ulong Value)> Transient { get; init; } = [];

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

        foreach (Word word in Even.Where(word => state.Read(word.Address) % 2 != 0))
        {
            Report(state, $"All programs have ended, and {word.Name} is {state.Read(word.Address)}: a section that changes something is still open.");
        }

        foreach ((Word word, ulong _) in Transient.Where(one => state.Read(one.Word.Address) == one.Value))
        {
            Report(state, $"All programs have ended, and {word.Name} is {word.Show(state.Read(word.Address))}, which it may be only for a time.");
        }

        JudgeAreas(state);
        JudgeTables(state);
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
        bool neverCounted = TlbInspector.IsAllocated(_initial.Value, frame) && _initial.Value.Read(words.RefCount.Address) == 0;
        if (references == 0 && users == 0 && !neverCounted)
        {
            Report(state, $"All programs have ended, and nobody refers to frame {frame}, which was not given back to the allocator.");
        }

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
