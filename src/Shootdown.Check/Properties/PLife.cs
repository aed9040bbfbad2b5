using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-life: no access and no walk reaches a frame or a page table after it was freed or given to someone else.
/// </summary>
public sealed class PLife : Property
{
    /// <inheritdoc/>
    public override string Id => "P-life";

    /// <inheritdoc/>
    public override string JudgementText => "accesses and walks";

    /// <inheritdoc/>
    public override void OnAccess(MachineState state, in AccessEvent access)
    {
        Judge(state);
        if (access.Translation.Dangling)
        {
            string how = access.IsStale ? "the stale TLB entry of" : "the page-table entry of";
            Report(state, $"{access.Cpu} {(access.IsWrite ? "writes" : "reads")} frame {access.Translation.Frame} through {how} "
                + $"{Paging.AddressText(access.Page)} after the frame was freed.");
        }
    }

    /// <inheritdoc/>
    public override void OnWalk(MachineState state, Cpu cpu) => Judge(state);

    /// <inheritdoc/>
    public override void OnWalkOfFreedTable(MachineState state, Cpu cpu, int page, int table)
    {
        Judge(state);
        state.Record?.Note($"[ walk of {Paging.AddressText(page)} reads freed table {table} ]");
        Report(state, $"The page walker of {cpu} reads page-table page {table} for {Paging.AddressText(page)} after the page was freed.");
    }
}
