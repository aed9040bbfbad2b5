using Shootdown.Catalogue;

namespace Shootdown.Cli;

/// <summary>What was found in a scenario file: scenarios, or the reason why there are none.</summary>
/// <param name="Scenarios">The scenarios that the file defines, in order.</param>
/// <param name="Reason">Why they cannot be run; empty if they can.</param>
internal sealed record ScenarioFile(IReadOnlyList<Scenario> Scenarios, string Reason);

/// <summary>
/// Turns a C# file outside the repository into scenarios (<c>check FILE.cs</c>): the only place that knows how such a
/// file is compiled and loaded.
/// </summary>
internal static class SingleFileScenario
{
    private const string Extension = ".cs";

    /// <summary>True if an argument of <c>check</c> means a file and not an id.</summary>
    public static bool IsFile(string target) => target.EndsWith(Extension, StringComparison.OrdinalIgnoreCase);

    /// <summary>Compiles and loads the file.</summary>
    /// <exception cref="UsageException">There is no such file.</exception>
    public static ScenarioFile Load(string path)
    {
        if (!File.Exists(path))
        {
            throw new UsageException($"there is no file {path}");
        }

        return new ScenarioFile([], "Scenario files cannot be checked yet; add the scenario to the catalogue instead.");
    }
}
