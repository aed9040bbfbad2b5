namespace Shootdown.Kernel;

/// <summary>
/// A way to keep TLBs in line with page tables: who flushes what, when, and how others learn of a flush that is still owed. A design
/// replaces mechanisms of the kernel; the workloads that it is compared on stay the same. See docs/designs.md.
/// </summary>
public abstract class FlushDesign
{
    /// <summary>Every design of this library: sound ones first, then by year and id.</summary>
    public static IReadOnlyList<FlushDesign> All { get; } =
    [
        .. typeof(FlushDesign).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(FlushDesign)) && !type.IsAbstract && type.GetConstructor(Type.EmptyTypes) is not null)
            .Select(type => (FlushDesign)Activator.CreateInstance(type)!)
            .OrderBy(design => !design.IsSound).ThenBy(design => design.Year).ThenBy(design => design.Id, StringComparer.Ordinal),
    ];

    /// <summary>Short id, lower case with dashes.</summary>
    public abstract string Id { get; }

    /// <summary>One line.</summary>
    public abstract string Title { get; }

    /// <summary>The year in which it was merged, proposed or published.</summary>
    public abstract int Year { get; }

    /// <summary>Where it is described.</summary>
    public abstract string Source { get; }

    /// <summary>How it works, and what it relies on: a paragraph.</summary>
    public abstract string Story { get; }

    /// <summary>False if it is known to be wrong: tried to show what goes wrong, or as a step on the way to another one.</summary>
    public virtual bool IsSound => true;

    /// <summary>ASIDs that it needs besides those that the workload uses.</summary>
    public virtual int ExtraAsids => 0;

    /// <summary>ASIDs that it needs besides six on a machine of real size, where many processes run.</summary>
    public virtual int ExtraAsidsAtRealSize => ExtraAsids;

    /// <summary>Why it cannot run on a machine of real size, for <c>measure --policy all</c>; null if it can.</summary>
    public virtual string? NotMeasured => null;

    /// <summary>
    /// Initial state of a small machine whose process has been running for a while: called when the mappings are built and the CPUs run what they
    /// begin with. By default nothing.
    /// </summary>
    public virtual void Prepare(KernelModel kernel)
    {
    }

    /// <summary>The mechanisms that it replaces.</summary>
    public abstract KernelParts Apply(KernelParts parts);

    /// <summary>The choices of the kernel's build that it needs.</summary>
    public virtual KernelOptions Configure(KernelOptions options) => options;
}
