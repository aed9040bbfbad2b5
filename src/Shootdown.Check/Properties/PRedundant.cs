using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-redundant: no invalidation of a device's TLBs is for nothing. One is for nothing if no translation that is out of date can be
/// cached where it looks: an earlier one, or nobody, has seen to that. Correct but wasteful kernels violate it.
/// </summary>
public sealed class PRedundant : Property
{
    /// <inheritdoc/>
    public override string Id => "P-redundant";

    /// <inheritdoc/>
    public override string JudgementText => "invalidations of devices";

    /// <inheritdoc/>
    public override void OnDeviceInvalidated(MachineState state, Device device, InvalidationCommand command, bool dropsOld)
    {
        // The reference for TLBs holds current translations too, so that it cannot tell what is out of date: nothing is judged there.
        if (device is null || device.Machine.Options.Tlb == TlbKind.Explicit)
        {
            return;
        }

        Judge(state);
        if (!dropsOld)
        {
            Report(state, $"The invalidation of {command} is for nothing: {device} can hold nothing there that is out of date.");
        }
    }
}
