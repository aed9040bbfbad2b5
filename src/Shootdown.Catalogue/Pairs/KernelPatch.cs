using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>
/// A change of the kernel to try: a patch that somebody proposes, or a bug that somebody suspects. One class in a file outside of the
/// repository is enough; see docs/operation.md.
/// </summary>
public abstract class KernelPatch
{
    /// <summary>Short name for reports.</summary>
    public abstract string Id { get; }

    /// <summary>
    /// The mechanisms with those that it replaces: <c>parts with { Madvise = kernel => new MyMadvise(kernel) }</c>.
    /// </summary>
    public abstract KernelParts Apply(KernelParts parts);

    /// <summary>The kernel's build-time choices that it needs.</summary>
    public virtual KernelOptions Configure(KernelOptions options) => options;
}
