using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Shootdown.Bench;

/// <summary>What a process printed and what it took.</summary>
internal sealed record Finished(string Output, double CpuSeconds, double WallSeconds);

/// <summary>Runs one process at a time and measures it.</summary>
internal static class Processes
{
    private const double TicksPerSecond = 100;

    /// <summary>Runs a command to its end.</summary>
    internal static Finished Run(string command, string[] arguments, string folder)
    {
        double before = ChildrenCpuSeconds();
        long start = Stopwatch.GetTimestamp();
        var info = new ProcessStartInfo(command, arguments)
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
            WorkingDirectory = folder,
        };
        using Process process = Process.Start(info) ?? throw new InvalidOperationException($"{command} did not start");
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        double wall = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new Finished(output, ChildrenCpuSeconds() - before, wall);
    }

    /// <summary>True if the command can be started.</summary>
    internal static bool IsInstalled(string command)
    {
        try
        {
            Run(command, [command == "spin" ? "-V" : "--version"], Environment.CurrentDirectory);
            return true;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    /// <summary>The root of the repository that the benchmark was built from.</summary>
    internal static string RepositoryRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Shootdown.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("run the benchmark from inside the repository");
    }

    /// <summary>User and system time of all children that have ended, from the kernel's accounts.</summary>
    private static double ChildrenCpuSeconds()
    {
        string account = File.ReadAllText("/proc/self/stat");
        string[] fields = account[(account.LastIndexOf(')') + 2)..].Split(' ');

        // Fields 16 and 17 of the whole line (see proc(5)); the first two are cut off.
        return (Ticks(fields[13]) + Ticks(fields[14])) / TicksPerSecond;
    }

    private static double Ticks(string field) => double.Parse(field, CultureInfo.InvariantCulture);
}
