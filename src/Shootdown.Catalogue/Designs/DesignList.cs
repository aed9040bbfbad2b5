using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>The flush designs and the workloads that they are compared on.</summary>
public static class DesignList
{
    /// <summary>Every design of the kernel library.</summary>
    public static IReadOnlyList<FlushDesign> Designs => FlushDesign.All;

    /// <summary>What designs are compared with: Linux 6.12.</summary>
    public static FlushDesign Baseline { get; } = Designs.First(design => design is BatchedFlush);

    /// <summary>Every class of this assembly that derives from <see cref="DesignWorkload"/>, by id.</summary>
    public static IReadOnlyList<DesignWorkload> Workloads { get; } =
    [
        .. typeof(DesignList).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(DesignWorkload)) && !type.IsAbstract && type.GetConstructor(Type.EmptyTypes) is not null)
            .Select(type => (DesignWorkload)Activator.CreateInstance(type)!)
            .OrderBy(workload => workload.Id, StringComparer.Ordinal),
    ];
}
