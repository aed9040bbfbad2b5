using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-redundant: no secondary MMU is told for nothing. The invalidation of a device's TLBs is for nothing if no translation that is out
/// of date can be cached where it looks: an earlier one, or nobody, has seen to that. The callback of a notifier is for nothing if the
/// secondary MMU has a table of its own and maps none of the pages. Correct but wasteful kernels violate it.
/// </summary>
public sealed class PRedundant : Property
{
    /// <inheritdoc/>
    public override string Id => "P-redundant";

    /// <inheritdoc/>
    public override string JudgementText => "invalidations of secondary MMUs";

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

    /// <inheritdoc/>
    public override void OnSecondaryCallback(MachineState state, SoftwareMmu mmu, int first, int count, bool found)
    {
        Judge(state);
        if (!found)
        {
            string last = count > 1 ? $" to {Paging.AddressText(first + count - 1)}" : string.Empty;
            Report(state, $"The callback for {Paging.AddressText(first)}{last} is for nothing: {mmu} maps nothing there.");
        }
    }
}
