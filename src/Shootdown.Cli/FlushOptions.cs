using Shootdown.Measure;

namespace Shootdown.Cli;

/// <summary>Values of options that <c>measure</c> and <c>replay</c> share.</summary>
internal static class FlushOptions
{
    /// <summary>Reads <c>--policy</c>: one flush design, or all.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    public static IReadOnlyList<FlushPolicy> Policies(string name)
        => name == "all" ? FlushPolicy.All : [Named(name, "policy", FlushPolicy.Find, FlushPolicy.All.Select(known => known.Name).Append("all"))];

    /// <summary>Reads the file of <c>--costs</c>; the defaults if there is none.</summary>
    /// <exception cref="UsageException">It cannot be used.</exception>
    public static CostTable Costs(string? path)
    {
        try
        {
            return path is null ? CostTable.Default : CostTable.Read(path);
        }
        catch (CostFileException error)
        {
            throw new UsageException(error.Message);
        }
    }

    /// <summary>Something by its name.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    public static T Named<T>(string name, string what, Func<string, T?> find, IEnumerable<string> known)
        where T : class
        => find(name) ?? throw new UsageException(
            $"there is no {what} '{name}'{ScenarioLookup.DidYouMean(name, known)}; known are {string.Join(", ", known)}");
}
