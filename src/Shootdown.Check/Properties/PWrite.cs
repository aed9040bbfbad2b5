using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-write: no store is lost. A frame that reclaim gives up must hold nothing that was stored after its contents were last
/// written to their backing store; discarding (munmap, MADV_DONTNEED) is no loss.
/// </summary>
public sealed class PWrite : Property
{
    private MachineModel _machine = null!;
    private int _modified;

    /// <inheritdoc/>
    public override string Id => "P-write";

    /// <inheritdoc/>
    public override string JudgementText => "frames given up by reclaim";

    /// <inheritdoc/>
    public override void OnAccess(MachineState state, in AccessEvent access)
    {
        if (access.IsWrite)
        {
            state.Write(_modified + access.Translation.Frame, 1);
        }
    }

    /// <inheritdoc/>
    public override void OnFrameWritten(MachineState state, Cpu cpu, int frame) => state.Write(_modified + frame, 0);

    /// <inheritdoc/>
    public override void OnFrameSaved(MachineState state, Cpu cpu, int frame)
    {
        Judge(state);
        if (state.Read(_modified + frame) != 0)
        {
            Report(state, $"Frame {frame} is freed with a store that was made after its contents were written out: the store is lost.");
        }
    }

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame) => state.Write(_modified + frame, 0);

    /// <inheritdoc/>
    public override void AddAccessFootprint(Footprint footprint, AddressSpace? space, int page)
    {
        for (int frame = 0; frame < _machine.Paging.Frames.Count; frame++)
        {
            footprint.Write(_modified + frame);
        }
    }

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame) => footprint.Write(_modified + frame);

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _modified = machine.AllocateRange("p_write.modified", WordKind.Hardware, machine.Paging.Frames.Count);
        for (int frame = 0; frame < machine.Paging.Frames.Count; frame++)
        {
            machine.Describe(_modified + frame, machine.Paging.PlaceOfFrame("p_write.modified", frame));
        }
    }
}
