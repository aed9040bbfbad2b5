using System.Reflection;
using System.Runtime.Loader;
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
    /// <exception cref="UsageException">There is no such file, it does not compile, or it has no scenario.</exception>
    public static ScenarioFile Load(string path) => Load(path, SingleFileBuild.DefaultCache());

    /// <summary>The same with a folder of the caller's for what was compiled.</summary>
    public static ScenarioFile Load(string path, string cache)
    {
        if (!File.Exists(path))
        {
            throw new UsageException($"there is no file {path}");
        }

        SingleFileBuild.Outcome built = SingleFileBuild.Compile(path, cache);
        if (built.Errors.Count > 0)
        {
            throw new UsageException($"{path} does not compile\n{string.Join('\n', built.Errors)}");
        }

        return built.AssemblyPath is { } assembly
            ? new ScenarioFile(ScenariosOf(path, assembly), string.Empty)
            : new ScenarioFile([], built.Reason);
    }

    /// <summary>
    /// Every scenario class of the assembly, public or not, in the order of the source. A load context of its own falls
    /// back to the program's for what it does not have, so the file's base class is our <see cref="Scenario"/> and no
    /// copy.
    /// </summary>
    private static Scenario[] ScenariosOf(string path, string assemblyPath)
    {
        var context = new AssemblyLoadContext(path, isCollectible: false);
        Type[] types =
        [
            .. context.LoadFromAssemblyPath(assemblyPath).GetTypes()
                .Where(type => type.IsSubclassOf(typeof(Scenario)) && !type.IsAbstract)
                .OrderBy(type => type.MetadataToken),
        ];
        return types.Length > 0
            ? [.. types.Select(type => Create(path, type))]
            : throw new UsageException($"{path} has no class that derives from {typeof(Scenario).FullName}");
    }

    private static Scenario Create(string path, Type type)
    {
        try
        {
            return (Scenario)Activator.CreateInstance(type, nonPublic: true)!;
        }
        catch (MissingMethodException)
        {
            throw new UsageException($"{path}: {type.Name} needs a constructor without parameters");
        }
        catch (TargetInvocationException exception) when (exception.InnerException is { } inner)
        {
            throw new UsageException(
                $"{path}: the constructor of {type.Name} threw {inner.GetType().Name}: {inner.Message}");
        }
    }
}
