using System.Runtime.CompilerServices;

namespace Shootdown.Tests.Docs;

/// <summary>Files of the working copy that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>The folder of the solution.</summary>
    public static string Root { get; } = Find();

    /// <summary>A file by its path from the root.</summary>
    public static string PathOf(string relative)
        => Path.Combine(Root, relative.Replace('/', Path.DirectorySeparatorChar));

    /// <summary>A file's text, with line feeds only.</summary>
    public static string Read(string relative) => File.ReadAllText(PathOf(relative)).ReplaceLineEndings("\n");

    private static string Find([CallerFilePath] string caller = "")
    {
        // The compiler may have replaced the path of the source (deterministic builds): then search from the output.
        foreach (string start in new[] { Path.GetDirectoryName(caller)!, AppContext.BaseDirectory })
        {
            for (string? folder = start; folder is not null; folder = Path.GetDirectoryName(folder))
            {
                if (File.Exists(Path.Combine(folder, "Shootdown.slnx")))
                {
                    return folder;
                }
            }
        }

        throw new InvalidOperationException($"no Shootdown.slnx above {caller} or {AppContext.BaseDirectory}");
    }
}
