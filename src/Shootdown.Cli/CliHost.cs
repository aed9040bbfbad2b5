using System.Runtime.InteropServices;
using System.Text;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Measure;

namespace Shootdown.Cli;

/// <summary>All that the command line needs from the world around it, so that tests can run it in-process.</summary>
internal sealed record CliHost
{
    private const double ShareOfMemory = 0.75;

    /// <summary>A step of kernel code takes microseconds.</summary>
    private static readonly TimeSpan PatienceWithCode = TimeSpan.FromSeconds(10);

    /// <summary>Results.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Progress and errors.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>True if <see cref="Error"/> is a terminal, where a line can be rewritten.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>The catalogue.</summary>
    public required Func<IReadOnlyList<Scenario>> Scenarios { get; init; }

    /// <summary>Runs one check.</summary>
    public required Func<Scenario, ScenarioSetup, CheckOptions, CheckReport> Check { get; init; }

    /// <summary>Counts what the runs of a scenario that was checked cost.</summary>
    public Func<CheckReport, Scenario, ScenarioSetup, CheckOptions, CheckReport> CountCosts { get; init; } = ScenarioCheck.CountCosts;

    /// <summary>Reads a scenario file.</summary>
    public Func<string, ScenarioFile> LoadFile { get; init; } = SingleFileScenario.Load;

    /// <summary>Reads a file with operations or patches.</summary>
    public Func<string, SingleFileTypes> LoadTypes { get; init; } = SingleFileTypes.Load;

    /// <summary>Tracefs; null if it is not there for this user.</summary>
    public Func<TracefsFiles?> Tracefs { get; init; } = TracefsFiles.Mounted;

    /// <summary>Calls back on Ctrl-C until disposed.</summary>
    public Func<Action, IDisposable?> OnInterrupt { get; init; } = _ => null;

    /// <summary>Watches for kernel code that does not come back, until disposed.</summary>
    public Func<IDisposable?> WatchCode { get; init; } = () => null;

    /// <summary>Memory for a check unless <c>--memory</c> says otherwise.</summary>
    public long MemoryBytes { get; init; } = (long)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * ShareOfMemory);

    /// <summary>Workers of a check unless <c>--workers</c> says otherwise.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>True to show stack traces of unexpected errors.</summary>
    public bool IsDebug { get; init; }

    /// <summary>The host of a real process.</summary>
    public static CliHost OfProcess()
    {
        var plain = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        return new CliHost
        {
            Out = new StreamWriter(new OutputStream(Console.OpenStandardOutput(), "the output"), plain) { NewLine = "\n" },
            Error = new StreamWriter(Console.OpenStandardError(), plain) { NewLine = "\n", AutoFlush = true },
            ErrorIsTerminal = !Console.IsErrorRedirected,
            Scenarios = () => ScenarioList.All,
            Check = ScenarioCheck.Run,
            OnInterrupt = ListenForSignals,
            WatchCode = () => new StuckCodeWatch(PatienceWithCode, EndStuckProcess),
            IsDebug = Environment.GetEnvironmentVariable("SHOOTDOWN_DEBUG") == "1",
        };
    }

    private static void EndStuckProcess(string method)
    {
        Console.Error.WriteLine($"\nshootdown: {method} has run for {PatienceWithCode.TotalSeconds:0} s without an operation: "
            + "a loop of kernel code must await an operation of its Cpu in every round");
        Console.Error.WriteLine("  No limit can end such a step, so the run ends here, without its results.");
        Environment.Exit(ExitCode.Unsupported);
    }

    /// <summary>The first Ctrl-C ends the check with what it has found; the second one ends the process.</summary>
    private static IDisposable ListenForSignals(Action interrupted)
    {
        int count = 0;
        return PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            context.Cancel = Interlocked.Increment(ref count) == 1;
            interrupted();
        });
    }
}
