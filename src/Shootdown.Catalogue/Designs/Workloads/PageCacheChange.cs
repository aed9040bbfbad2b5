using Shootdown.Check;
using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>The page cache changes under a stale read-only entry (B50, hazard 2).</summary>
public sealed class PageCacheChange : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "page-cache";

    /// <inheritdoc/>
    public override string Title => "reclaim drops a clean page of a file; its data is written anew; a reader that was told so looks";

    /// <inheritdoc/>
    protected override IReadOnlyList<Property> Properties => [new PLife()];

    /// <inheritdoc/>
    protected override IReadOnlyList<string> MustExercise => ["P-life", "assert"];

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        ArgumentNullException.ThrowIfNull(design);
        return PageCacheStage.Build(design.Apply(new KernelParts()), design.Configure(PageCacheStage.Options), design.ExtraAsids);
    }
}
