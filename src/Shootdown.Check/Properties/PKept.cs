using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-kept: no page is lost that nobody gave up. Whatever an entry of such a page is set to map holds the page's contents, as it was or as a copy; and
/// when all programs have ended there is an entry, that of a page, of a migration or of a swap slot.
/// </summary>
/// <remarks>
/// For anonymous memory beside programs that discard nothing. A word for every frame: the pages whose contents it holds. Copies have those of
/// their source, and so has what is read from a page's swap slot; P-write judges whether they were written there.
/// </remarks>
/// <param name="kept">The pages; fork gives a child those of its parent, at the same addresses.</param>
public sealed class PKept(params IReadOnlyList<(AddressSpace Space, int Page)> kept) : Property
{
    private MachineModel _machine = null!;
    private int _contents;

    /// <inheritdoc/>
    public override string Id => "P-kept";

    /// <inheritdoc/>
    public override string JudgementText => "entries of pages that nobody gave up";

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        if (!kept.Contains((space, page)))
        {
            return;
        }

        if (!value.MapsFrame)
        {
            return;
        }

        if (old.IsSwap && old.Frame == page)
        {
            state.Write(_contents + value.Frame, state.Read(_contents + value.Frame) | Bit(page));
        }

        Judge(state);
        if ((state.Read(_contents + value.Frame) & Bit(page)) == 0)
        {
            Report(state, $"The entry of {Paging.AddressText(page)} in {space} ({value}) maps a frame that does not hold the page's contents: "
                + "they were not copied.");
        }
    }

    /// <inheritdoc/>
    public override void OnFrameCopied(MachineState state, Cpu cpu, int from, int to) => state.Write(_contents + to, state.Read(_contents + from));

    /// <inheritdoc/>
    public override void OnFramesEqual(MachineState state, Cpu cpu, int from, int to)
        => state.Write(_contents + to, state.Read(_contents + to) | state.Read(_contents + from));

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame) => state.Write(_contents + frame, 0);

    /// <inheritdoc/>
    public override void OnFinal(MachineState state)
    {
        if (!AllHaveEnded(state))
        {
            return;
        }

        foreach ((AddressSpace space, int page) in kept)
        {
            Judge(state);
            if (TlbInspector.CurrentLeaf(state, space, page).IsNone)
            {
                Report(state, $"All programs have ended, and {space} has no entry at {Paging.AddressText(page)}: the page is lost, and nobody gave it up.");
            }
        }
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
        => footprint.WriteRange(_contents, _machine.Paging.Frames.Count);

    /// <inheritdoc/>
    public override void AddCopyFootprint(Footprint footprint, int from, int to)
    {
        footprint.Read(_contents + from);
        footprint.Write(_contents + to);
    }

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame) => footprint.Write(_contents + frame);

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _contents = machine.AllocateRange("p_kept.contents", WordKind.Hardware, machine.Paging.Frames.Count);
        foreach ((AddressSpace space, int page) in kept)
        {
            Pte initial = machine.Paging.InitialLeaf(space, page);
            if (initial.MapsFrame)
            {
                int address = _contents + initial.Frame;
                machine.SetInitial(address, machine.WordInfo(address).Initial | Bit(page));
            }
        }
    }

    private static ulong Bit(int page) => 1UL << page;
}
