using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>mprotect(PROT_READ | PROT_WRITE)</c> on memory that was writable before, or that another call just protected.</summary>
public sealed class MprotectWritableOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "mprotect-rw";

    /// <inheritdoc/>
    public override string Role => "mprotect";

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Mprotect.MprotectWritable(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
}
