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

    /// <summary>Where the page cache may hold huge folios: as <see cref="PWrite.Folios"/>.</summary>
    public IReadOnlyList<Word> Folios { get; init; } = [];

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
            }
        }
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine) => _machine = machine;

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
        else if (held.Write && !entry.Dirty && state.Read(_machine.Paging.Frames[HugeFolios.FirstOf(Folios, state, held.Frame)].Dirty.Address) == 0)
        {
            Report(state, $"{maps} and nothing says that the page is dirty: a store would be lost.");
        }
    }
}
