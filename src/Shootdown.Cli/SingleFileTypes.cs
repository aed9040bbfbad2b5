using System.Reflection;
using System.Runtime.Loader;

namespace Shootdown.Cli;

/// <summary>What a C# file outside the repository defines, compiled and loaded; or the reason why it cannot be.</summary>
/// <param name="Path">The file, as typed.</param>
/// <param name="Assembly">What it was compiled to; null if that cannot be done here.</param>
/// <param name="Reason">Why not; empty if it can.</param>
internal sealed record SingleFileTypes(string Path, Assembly? Assembly, string Reason)
{
    private const string Extension = ".cs";

    /// <summary>True if an argument means a file and not an id.</summary>
    public static bool IsFile(string target) => target.EndsWith(Extension, StringComparison.OrdinalIgnoreCase);

    /// <summary>Compiles and loads the file.</summary>
    /// <exception cref="UsageException">There is no such file, or it does not compile.</exception>
    public static SingleFileTypes Load(string path) => Load(path, SingleFileBuild.DefaultCache());

    /// <summary>
    /// The same with a folder of the caller's for what was compiled. A load context of its own falls back to the program's for what it does
    /// not have, so the file's base classes are ours and no copies.
    /// </summary>
    public static SingleFileTypes Load(string path, string cache)
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
            ? new SingleFileTypes(
                path, new AssemblyLoadContext(path, isCollectible: false).LoadFromAssemblyPath(assembly), string.Empty)
            : new SingleFileTypes(path, null, built.Reason);
    }

    /// <summary>One object of every class that derives from a type, public or not, in the order of the source.</summary>
    /// <exception cref="UsageException">One of them cannot be made.</exception>
    public IReadOnlyList<T> InstancesOf<T>()
        =>
        [
            .. (Assembly?.GetTypes() ?? [])
                .Where(type => type.IsSubclassOf(typeof(T)) && !type.IsAbstract)
                .OrderBy(type => type.MetadataToken)
                .Select(Create<T>),
        ];

    private T Create<T>(Type type)
    {
        try
        {
            return (T)Activator.CreateInstance(type, nonPublic: true)!;
        }
        catch (MissingMethodException)
        {
            throw new UsageException($"{Path}: {type.Name} needs a constructor without parameters");
        }
        catch (TargetInvocationException exception) when (exception.InnerException is { } inner)
        {
            throw new UsageException($"{Path}: the constructor of {type.Name} threw {inner.GetType().Name}: {inner.Message}");
        }
    }
}
