namespace Shootdown.Catalogue;

/// <summary>The flush designs and the workloads that they are compared on.</summary>
public static class DesignList
{
    /// <summary>Every class of this assembly that derives from <see cref="FlushDesign"/>: sound ones first, then by year and id.</summary>
    public static IReadOnlyList<FlushDesign> Designs { get; } =
    [
        .. All<FlushDesign>().OrderBy(design => !design.IsSound).ThenBy(design => design.Year).ThenBy(design => design.Id, StringComparer.Ordinal),
    ];

    /// <summary>Every class of this assembly that derives from <see cref="DesignWorkload"/>, by id.</summary>
    public static IReadOnlyList<DesignWorkload> Workloads { get; } =
        [.. All<DesignWorkload>().OrderBy(workload => workload.Id, StringComparer.Ordinal)];

    private static IEnumerable<T> All<T>() => typeof(DesignList).Assembly.GetTypes()
        .Where(type => type.IsSubclassOf(typeof(T)) && !type.IsAbstract && type.GetConstructor(Type.EmptyTypes) is not null)
        .Select(type => (T)Activator.CreateInstance(type)!);
}
