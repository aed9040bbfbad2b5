using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-sec: when all programs have ended, no secondary MMU with a table of its own maps what the page tables do not: another frame, a page that is
/// not there, one that may not be written, or one that may be written without anybody learning of it (neither the entry nor the page is dirty).
/// In between it may, while an invalidation is in progress. What removes or lowers an entry must tell notifiers, or this shows it.
/// </summary>
public sealed class PSecondary : Property
{
    private MachineModel _machine = null!;
    private int _stored;

    /// <summary>Where the page cache may hold huge folios: as <see cref="PWrite.Folios"/>.</summary>
    public IReadOnlyList<Word> Folios { get; init; } = [];

    /// <summary>
    /// True if drivers mark pages dirty when they remove writable entries. Then an entry that may be written needs no mark; but what a device
    /// stored to and no longer maps writable must have one.
    /// </summary>
    public bool MarksDirtyAtUnmap { get; init; }

    /// <inheritdoc/>
    public override string Id => "P-sec";

    /// <inheritdoc/>
    public override string JudgementText => "entries of secondary MMUs at the end";

    /// <inheritdoc/>
    public override void OnFinal(MachineState state)
    {
        foreach (AddressSpace space in _machine.Paging.Spaces)
        {
            for (int page = 0; page < _machine.Paging.PageCount; page++)
            {
                foreach ((SoftwareMmu mmu, Translation held) in TlbInspector.HeldBySecondaries(state, space, page))
                {
                    Judge(state);
                    JudgeHeld(state, mmu, page, held);
                }

                JudgeStored(state, space, page);
            }
        }
    }

    /// <inheritdoc/>
    public override void OnAccess(MachineState state, in AccessEvent access)
    {
        if (MarksDirtyAtUnmap && access.IsWrite)
        {
            state.Write(_stored + access.Translation.Frame, 1);
        }
    }

    /// <inheritdoc/>
    public override void AddAccessFootprint(Footprint footprint, AddressSpace? space, int page)
    {
        if (MarksDirtyAtUnmap)
        {
            footprint.WriteRange(_stored, _machine.Paging.Frames.Count);
        }
    }

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame)
    {
        if (MarksDirtyAtUnmap)
        {
            footprint.Write(_stored + frame);
        }
    }

    /// <inheritdoc/>
    public override void OnFrameWritten(MachineState state, Cpu cpu, int frame) => Forget(state, frame);

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame) => Forget(state, frame);

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _stored = MarksDirtyAtUnmap ? machine.AllocateRange("p_sec.stored", WordKind.Hardware, machine.Paging.Frames.Count) : 0;
    }

    private void Forget(MachineState state, int frame)
    {
        if (MarksDirtyAtUnmap)
        {
            state.Write(_stored + frame, 0);
        }
    }

    private void JudgeStored(MachineState state, AddressSpace space, int page)
    {
        Pte entry = TlbInspector.CurrentLeaf(state, space, page);
        if (MarksDirtyAtUnmap && entry is { Present: true, Dirty: false } && state.Read(_stored + entry.Frame) != 0 && !IsMarked(state, entry.Frame)
            && !TlbInspector.HeldBySecondaries(state, space, page).Any(held => held.Value.Write && held.Value.Frame == entry.Frame))
        {
            Report(state, $"Frame {entry.Frame} was stored to, no device maps it writable any more at {Paging.AddressText(page)}, and nothing says "
                + "that the page is dirty: the store would be lost.");
        }
    }

    private bool IsMarked(MachineState state, int frame)
        => state.Read(_machine.Paging.Frames[HugeFolios.FirstOf(Folios, state, frame)].Dirty.Address) != 0;

    private void JudgeHeld(MachineState state, SoftwareMmu mmu, int page, Translation held)
    {
        Pte entry = TlbInspector.CurrentLeaf(state, mmu.Space, page);
        string maps = $"{mmu} still maps {Paging.AddressText(page)} to frame {held.Frame}{(held.Write ? ", writable," : string.Empty)}";
        if (!entry.Present || entry.Frame != held.Frame)
        {
            Report(state, $"{maps} and the page tables do not ({entry}).");
        }
        else if (held.Write && !entry.Write)
        {
            Report(state, $"{maps} and the page tables allow no stores.");
        }
        else if (held.Write && !MarksDirtyAtUnmap && !entry.Dirty && !IsMarked(state, held.Frame))
        {
            Report(state, $"{maps} and nothing says that the page is dirty: a store would be lost.");
        }
    }
}
