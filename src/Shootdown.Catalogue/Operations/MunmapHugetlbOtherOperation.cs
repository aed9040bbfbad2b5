using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>The same by the other process that shares the page table: its flush knows nothing of the first one.</summary>
public sealed class MunmapHugetlbOtherOperation : MunmapHugetlbOperation
{
    /// <inheritdoc/>
    public override string Id => "munmap-hugetlb-other";

    /// <inheritdoc/>
    public override Mm SpaceOf(Stage stage)
    {
        ArgumentNullException.ThrowIfNull(stage);
        return stage.Kernel.Mms[1];
    }
}
