using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-agree (Nadav Amit, linux-mm, December 2020): whenever an entry is read under its lock, every cached copy grants at
/// most what the entry grants, unless the reader can know that a flush is pending.
/// </summary>
public sealed class PAgree(IFlushKnowledge knowledge) : Property
{
    private MachineModel _machine = null!;

    /// <inheritdoc/>
    public override string Id => "P-agree";

    /// <inheritdoc/>
    public override string JudgementText => "entries read under their lock";

    /// <inheritdoc/>
    public override void OnEntryRead(MachineState state, Cpu cpu, AddressSpace space, int page, Pte value, bool locked)
    {
        if (!locked)
        {
            return;
        }

        Judge(state);
        if (knowledge.IsFlushPending(state, space))
        {
            return;
        }

        Translation granted = Translation.Of(value);
        foreach (Cpu other in _machine.Cpus)
        {
            if (knowledge.WillFlushFirst(state, other))
            {
                continue;
            }

            foreach (Translation cached in TlbInspector.Usable(state, other, space, page))
            {
                if (granted.IsNone || cached.Frame != granted.Frame || (cached.Write && !granted.Write))
                {
                    Report(state, $"{cpu} reads the entry of {Paging.AddressText(page)} under its lock ({value}) while the TLB of {other} "
                        + $"may still hold frame {cached.Frame}{(cached.Write ? ", writable" : string.Empty)}, and nothing tells it that a flush is pending.");
                    return;
                }
            }
        }
    }

    /// <inheritdoc/>
    public override void AddEntryReadFootprint(Footprint footprint, int page)
    {
        ArgumentNullException.ThrowIfNull(footprint);
        TlbInspector.AddFootprint(footprint, _machine, page);
        foreach (int word in knowledge.Words)
        {
            footprint.Read(word);
        }
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine) => _machine = machine;
}
