using System.Reflection;

namespace Shootdown.Catalogue;

/// <summary>The operations that <c>pairs</c> crosses.</summary>
public static class OperationList
{
    /// <summary>All operations of the library, by id: every class in this assembly that derives from <see cref="MmOperation"/>.</summary>
    public static IReadOnlyList<MmOperation> All { get; } = Of(typeof(OperationList).Assembly);

    /// <summary>The operations of an assembly, by id.</summary>
    public static IReadOnlyList<MmOperation> Of(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        return
        [
            .. assembly.GetTypes()
                .Where(type => type.IsSubclassOf(typeof(MmOperation)) && !type.IsAbstract)
                .Select(type => (MmOperation)Activator.CreateInstance(type, nonPublic: true)!)
                .OrderBy(operation => operation.Id, StringComparer.Ordinal),
        ];
    }

    /// <summary>The library with operations added; one with an id that exists takes its place.</summary>
    public static IReadOnlyList<MmOperation> With(IReadOnlyList<MmOperation> more)
    {
        ArgumentNullException.ThrowIfNull(more);
        return
        [
            .. All.Where(known => !more.Any(one => one.Id == known.Id)).Concat(more)
                .OrderBy(operation => operation.Id, StringComparer.Ordinal),
        ];
    }
}
