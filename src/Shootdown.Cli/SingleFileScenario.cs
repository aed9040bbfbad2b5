using Shootdown.Catalogue;

namespace Shootdown.Cli;

/// <summary>What was found in a scenario file: scenarios, or the reason why there are none.</summary>
/// <param name="Scenarios">The scenarios that the file defines, in order.</param>
/// <param name="Reason">Why they cannot be run; empty if they can.</param>
internal sealed record ScenarioFile(IReadOnlyList<Scenario> Scenarios, string Reason);

/// <summary>Turns a C# file outside the repository into scenarios (<c>check FILE.cs</c>).</summary>
internal static class SingleFileScenario
{
    /// <summary>True if an argument of <c>check</c> means a file and not an id.</summary>
    public static bool IsFile(string target) => SingleFileTypes.IsFile(target);

    /// <summary>Compiles and loads the file.</summary>
    /// <exception cref="UsageException">There is no such file, it does not compile, or it has no scenario.</exception>
    public static ScenarioFile Load(string path) => Load(path, SingleFileBuild.DefaultCache());

    /// <summary>The same with a folder of the caller's for what was compiled.</summary>
    public static ScenarioFile Load(string path, string cache)
    {
        SingleFileTypes types = SingleFileTypes.Load(path, cache);
        if (types.Assembly is null)
        {
            return new ScenarioFile([], types.Reason);
        }

        IReadOnlyList<Scenario> scenarios = types.InstancesOf<Scenario>();
        return scenarios.Count > 0
            ? new ScenarioFile(scenarios, string.Empty)
            : throw new UsageException($"{path} has no class that derives from {typeof(Scenario).FullName}");
    }
}
