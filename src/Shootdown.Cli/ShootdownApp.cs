using System.Reflection;
using System.Runtime.CompilerServices;
using Shootdown.Catalogue;

namespace Shootdown.Cli;

/// <summary>
/// For scenarios that are programs of their own: one C# file that names this project and is started with
/// <c>dotnet run FILE.cs</c>. See docs/scenario.md.
/// </summary>
public static class ShootdownApp
{
    /// <summary>
    /// Crosses the operations of the library, and those that the calling file defines, on a kernel with the patches that it defines: the
    /// same options, output and exit codes as <c>./shootdown pairs</c>.
    /// </summary>
    /// <param name="arguments">The program's arguments: operations and options of <c>pairs</c>.</param>
    /// <param name="file">The calling file; the compiler fills it in. Replay commands name it.</param>
    /// <returns>The exit code.</returns>
    public static int Pairs(string[] arguments, [CallerFilePath] string file = "")
    {
        ArgumentNullException.ThrowIfNull(arguments);
        Assembly assembly = Assembly.GetEntryAssembly() ?? throw new InvalidOperationException("there is no program");
        CliHost host = CliHost.OfProcess() with { LoadTypes = path => new SingleFileTypes(path, assembly, string.Empty) };
        return CommandLine.Run(["pairs", Shorter(file), .. arguments], host);
    }

    /// <summary>
    /// Checks a scenario as <c>./shootdown check</c> does: same options, same output, same exit codes.
    /// </summary>
    /// <param name="scenario">The scenario.</param>
    /// <param name="arguments">The program's arguments: the options of <c>check</c>.</param>
    /// <param name="file">The calling file; the compiler fills it in. Replay commands name it.</param>
    /// <returns>The exit code.</returns>
    public static int Check(Scenario scenario, string[] arguments, [CallerFilePath] string file = "")
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(arguments);
        CliHost host = CliHost.OfProcess() with
        {
            Scenarios = () => [scenario],
            LoadFile = _ => new ScenarioFile([scenario], string.Empty),
        };
        return CommandLine.Run(["check", Shorter(file), .. arguments], host);
    }

    private static string Shorter(string file)
    {
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, file);
        return relative.Length < file.Length ? relative : file;
    }
}
