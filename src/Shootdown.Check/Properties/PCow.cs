using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-cow: private memory stays private. While two address spaces map one page of anonymous memory, neither has an entry that lets it
/// store there: the other one would see it. Nor has any an entry that lets it store to a cached page of a file that it maps privately.
/// </summary>
/// <remarks>
/// Judged when an entry is set, against the same virtual page of other address spaces, where fork leaves them. What TLBs may still hold from
/// before is P-ret's business.
/// </remarks>
/// <param name="pageCache">
/// The words of the page cache, each frame + 1 or 0, where files are mapped privately. Otherwise for machines whose shared pages are all
/// anonymous.
/// </param>
public sealed class PCow(params IReadOnlyList<Word> pageCache) : Property
{
    private MachineModel _machine = null!;

    /// <inheritdoc/>
    public override string Id => "P-cow";

    /// <inheritdoc/>
    public override string JudgementText => "entries of pages that another process maps";

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        if (value.Present && value.Write && pageCache.Any(cached => state.Read(cached.Address) == (ulong)value.Frame + 1))
        {
            Report(state, $"{space} may store to frame {value.Frame} at {Paging.AddressText(page)}, which is the file's: all that map it would see "
                + "what is stored.");
        }

        foreach (AddressSpace other in value.Present ? _machine.Paging.Spaces : [])
        {
            Pte shared = other == space ? Pte.None : TlbInspector.CurrentLeaf(state, other, page);
            if (!shared.MapsFrame || shared.Frame != value.Frame)
            {
                continue;
            }

            Judge(state);
            if (value.Write || shared.Write)
            {
                (AddressSpace writer, AddressSpace reader) = value.Write ? (space, other) : (other, space);
                Report(state, $"{writer} may store to frame {value.Frame} at {Paging.AddressText(page)}, which {reader} maps too: "
                    + "one process would see what the other one stores.");
            }
        }
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
    {
        TlbInspector.AddLeafFootprint(footprint, _machine, page);
        footprint.ReadAll([.. pageCache.Select(cached => cached.Address)]);
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine) => _machine = machine;
}
