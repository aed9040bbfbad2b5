using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Shootdown.Cli;

/// <summary>
/// Compiles a scenario file with the .NET SDK against the assemblies of this very program, in a project that is made
/// for it in a cache folder. A file that did not change is compiled once.
/// </summary>
internal static partial class SingleFileBuild
{
    /// <summary>Changes when the generated project does.</summary>
    private const string CacheVersion = "2";
    private const string SourceName = "scenario.cs";
    private const string AssemblyName = "Shootdown.ScenarioFile.dll";
    private const string NoEntryPoint = "CS5001";
    private const string CodeInLibrary = "CS8805";
    private const int BuildMinutesMax = 5;
    private const int OutputLinesShown = 12;

    /// <summary>Set by an outer build or test run; they would lead the inner build astray.</summary>
    private static readonly string[] OuterBuildVariables =
        ["MSBuildSDKsPath", "MSBuildExtensionsPath", "MSBUILD_EXE_PATH", "MSBuildLoadMicrosoftTargetsReadOnly"];

    /// <summary>How a compilation ended: one of the three is set.</summary>
    /// <param name="AssemblyPath">The assembly.</param>
    /// <param name="Errors">What the compiler objects to, one a line: <c>file(line,column): error ...</c>.</param>
    /// <param name="Reason">Why there was no compilation.</param>
    internal sealed record Outcome(string? AssemblyPath, IReadOnlyList<string> Errors, string Reason);

    /// <summary>Compiles a file that exists, or finds what was compiled before in a cache folder.</summary>
    public static Outcome Compile(string path, string cache)
    {
        byte[] source = File.ReadAllBytes(path);
        string ready = Path.Combine(cache, KeyOf(source));
        if (File.Exists(Path.Combine(ready, AssemblyName)))
        {
            return Success(ready);
        }

        if (FindDotnet() is not { } dotnet)
        {
            return new Outcome(null, [], "The .NET SDK is needed to compile a scenario file: no dotnet command found.");
        }

        if (!Console.IsErrorRedirected)
        {
            Console.Error.WriteLine($"compiling {path}...");
        }

        string work = $"{ready}.{Environment.ProcessId}";
        try
        {
            bool isProgram = StartsItself(source);
            WriteProject(work, source, isProgram);
            (int exitCode, string output) = Build(dotnet, work);
            if (output.Contains(isProgram ? NoEntryPoint : CodeInLibrary, StringComparison.Ordinal))
            {
                WriteProject(work, source, !isProgram);
                (exitCode, output) = Build(dotnet, work);
            }

            string[] errors = Errors(output, path);
            if (exitCode != 0)
            {
                string reason = $"The .NET SDK ({dotnet}) cannot compile a scenario file:\n{LastLines(output)}";
                return new Outcome(null, errors, reason);
            }

            Publish(Path.Combine(work, "bin"), ready);
            return Success(ready);
        }
        finally
        {
            Delete(work);
        }
    }

    /// <summary>
    /// By content and by the identity of every assembly it is compiled against: a new build of Shootdown means a new
    /// compilation.
    /// </summary>
    private static string KeyOf(byte[] source)
    {
        var identity = new StringBuilder(CacheVersion);
        foreach (string library in Libraries())
        {
            identity.Append(' ').Append(Assembly.LoadFrom(library).ManifestModule.ModuleVersionId);
        }

        if (AnalyzerPath() is { } analyzer)
        {
            identity.Append(' ').Append(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(analyzer))));
        }

        byte[] hash = SHA256.HashData([.. Encoding.UTF8.GetBytes(identity.ToString()), .. source]);
        return Convert.ToHexStringLower(hash)[..32];
    }

    private static string[] Libraries() =>
        [.. Directory.GetFiles(AppContext.BaseDirectory, "*.dll").Where(IsLibrary).Order(StringComparer.Ordinal)];

    /// <summary>The rules of kernel code as an analyzer; null if it was not shipped, and then the machine finds violations.</summary>
    private static string? AnalyzerPath()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "Shootdown.Analyzers.dll");
        return File.Exists(path) ? path : null;
    }

    private static bool IsLibrary(string path) => Path.GetFileNameWithoutExtension(path)
        is "shootdown" or "Shootdown.Machine" or "Shootdown.Kernel" or "Shootdown.Check"
            or "Shootdown.Catalogue" or "Shootdown.Report";

    /// <summary>Where the results of compilations stay: the user's cache folder.</summary>
    public static string DefaultCache()
    {
        string? xdg = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        string root = !string.IsNullOrEmpty(xdg) && Path.IsPathRooted(xdg)
            ? xdg
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        return Path.Combine(root, "shootdown");
    }

    /// <summary>On the path, or the one whose runtime this process uses.</summary>
    private static string? FindDotnet()
    {
        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        string path = Environment.GetEnvironmentVariable("PATH") ?? string.Empty;
        IEnumerable<string?> folders = path.Split(Path.PathSeparator)
            .Append(Environment.GetEnvironmentVariable("DOTNET_ROOT"));
        return folders.Where(folder => !string.IsNullOrEmpty(folder))
            .Select(folder => Path.Combine(folder!, name))
            .FirstOrDefault(File.Exists);
    }

    /// <summary>
    /// Optimised, because otherwise dead locals of kernel code would multiply states (see docs/soundness.md).
    /// </summary>
    private static void WriteProject(string folder, byte[] source, bool isProgram)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, SourceName), source);
        string[] inherited = ["Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props"];
        foreach (string shield in inherited)
        {
            // So that none of a folder above is found.
            File.WriteAllText(Path.Combine(folder, shield), "<Project />\n");
        }

        string references = string.Join('\n', Libraries().Select(library =>
            $"    <Reference Include=\"{Xml(library)}\" Private=\"false\" />"));
        string analyzer = AnalyzerPath() is { } found ? $"    <Analyzer Include=\"{Xml(found)}\" />" : string.Empty;
        File.WriteAllText(Path.Combine(folder, "scenario.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net{Environment.Version.Major}.0</TargetFramework>
                <AssemblyName>{Path.GetFileNameWithoutExtension(AssemblyName)}</AssemblyName>
                <OutputType>{(isProgram ? "Exe" : "Library")}</OutputType>
                <UseAppHost>false</UseAppHost>
                <Optimize>true</Optimize>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <OutputPath>bin/</OutputPath>
                <AppendTargetFrameworkToOutputPath>false</AppendTargetFrameworkToOutputPath>
                <!-- Lets the compiler pass over lines that begin with #: -->
                <Features>FileBasedProgram</Features>
              </PropertyGroup>
              <ItemGroup>
            {references}
            {analyzer}
              </ItemGroup>
            </Project>

            """);
    }

    /// <summary>
    /// A guess: a file that starts itself names the entry point; one that only defines scenarios has none. The compiler
    /// says if it was wrong.
    /// </summary>
    private static bool StartsItself(byte[] source)
        => Encoding.UTF8.GetString(source).Contains(nameof(ShootdownApp), StringComparison.Ordinal);

    private static (int ExitCode, string Output) Build(string dotnet, string folder)
    {
        var start = new ProcessStartInfo(dotnet)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };

        // No build servers: they would outlive this command.
        foreach (string argument in new[]
        {
            "build", "scenario.csproj", "--configuration", "Release", "--nologo", "--verbosity", "quiet",
            "-nodeReuse:false", "-p:UseSharedCompilation=false",
        })
        {
            start.ArgumentList.Add(argument);
        }

        foreach (string variable in OuterBuildVariables)
        {
            start.Environment.Remove(variable);
        }

        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_SKIP_FIRST_TIME_EXPERIENCE"] = "1";
        return RunToEnd(start);
    }

    private static (int ExitCode, string Output) RunToEnd(ProcessStartInfo start)
    {
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardInput.Close();
            Task<string> error = process.StandardError.ReadToEndAsync();
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromMinutes(BuildMinutesMax)))
            {
                process.Kill(entireProcessTree: true);
                return (-1, $"It did not finish within {BuildMinutesMax} minutes.");
            }

            return (process.ExitCode, output.Result + error.Result);
        }
        catch (Win32Exception exception)
        {
            return (-1, exception.Message);
        }
    }

    /// <summary>The compiler's errors with the user's path in place of the copy's, in the order of the source.</summary>
    private static string[] Errors(string output, string path) =>
    [
        .. ErrorLine().Matches(output)
            .Select(match => (
                Line: int.Parse(match.Groups["line"].ValueSpan, System.Globalization.CultureInfo.InvariantCulture),
                Text: $"{path}({match.Groups["place"].Value}): {match.Groups["message"].Value.TrimEnd()}"))
            .DistinctBy(error => error.Text)
            .OrderBy(error => error.Line)
            .Select(error => error.Text),
    ];

    [GeneratedRegex(
        @"^.*scenario\.cs\((?<place>(?<line>\d+),\d+)\): (?<message>error .*?)(?: \[[^\[\]]*scenario\.csproj\])?\r?$",
        RegexOptions.Multiline)]
    private static partial Regex ErrorLine();

    private static string LastLines(string output)
    {
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return string.Join('\n', lines.TakeLast(OutputLinesShown));
    }

    /// <summary>Appears at once and complete, so that another process never sees half of it.</summary>
    private static void Publish(string built, string ready)
    {
        try
        {
            Directory.Move(built, ready);
        }
        catch (IOException) when (File.Exists(Path.Combine(ready, AssemblyName)))
        {
            // Somebody else compiled the same file meanwhile.
        }
    }

    private static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // Left for the user's cache cleaner: not worth a failed check.
        }
    }

    private static Outcome Success(string folder) => new(Path.Combine(folder, AssemblyName), [], string.Empty);

    private static string Xml(string text) => System.Security.SecurityElement.Escape(text);
}
