using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Reclaim of a read-only page of a writable area, and a store to it.</summary>
public sealed class ReclaimStore : StoreBehindRemoval
{
    /// <inheritdoc/>
    public override string Id => "reclaim-store";

    /// <inheritdoc/>
    public override string Title => "a page that is mapped read-only in a writable area is reclaimed and stored to; a reader that was told so looks";

    /// <inheritdoc/>
    protected override KernelOptions BuildOptions => new() { SwapData = true };

    /// <inheritdoc/>
    protected override async Proc Remove(KernelModel kernel, Cpu cpu) => await kernel.Reclaim.ShrinkFolioList(cpu, FrameSet.Of(0), true);
}
