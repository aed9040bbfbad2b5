using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-mix: a CPU never has a huge and a small translation of one address that contradict each other; what it does then is
/// undefined. Judged when a small entry takes a value: from then on hardware may cache it beside what it holds.
/// </summary>
public sealed class PMix : Property
{
    private MachineModel _machine = null!;

    /// <inheritdoc/>
    public override string Id => "P-mix";

    /// <inheritdoc/>
    public override string JudgementText => "small entries that changed";

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        if (!value.Present || value.Huge)
        {
            return;
        }

        Judge(state);
        Translation small = TlbInspector.Plain(Translation.Of(value));
        foreach (Cpu cpu in _machine.Cpus)
        {
            foreach (Translation held in TlbInspector.Usable(state, cpu, space, page))
            {
                if (held.Huge && (held.Frame != small.Frame || held.Write != small.Write))
                {
                    Report(state, $"The entry of {Paging.AddressText(page)} becomes {value} while the TLB of {cpu} may still hold "
                        + $"the huge page (frame {held.Frame}{(held.Write ? ", writable" : ", read-only")}): both may be cached now.");
                    return;
                }
            }
        }
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
        => TlbInspector.AddFootprint(footprint, _machine, page);

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine) => _machine = machine;
}
