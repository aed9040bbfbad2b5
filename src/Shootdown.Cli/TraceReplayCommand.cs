using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Reads a trace, says what it recorded and what the kernel code predicts.</summary>
internal sealed class TraceReplayCommand(CliHost host, ReplayRequest request)
{
    /// <summary>Runs it and returns the exit code: 0, or 3 if the trace cannot be read.</summary>
    public int Run()
    {
        using var interruption = new CancellationTokenSource();
        using IDisposable? listening = host.OnInterrupt(interruption.Cancel);
        ReplayReport report;
        try
        {
            report = Replay(interruption.Token);
        }
        catch (TraceFormatException exception)
        {
            host.Error.WriteLine($"shootdown: {exception.Message}");
            return ExitCode.Unsupported;
        }
        catch (ReplaySelectionException exception)
        {
            throw new UsageException(exception.Message);
        }
        catch (OperationCanceledException)
        {
            host.Error.WriteLine("shootdown: interrupted: nothing is printed for a part of a trace");
            return ExitCode.Inconclusive;
        }

        if (request.Html is { } html)
        {
            using StreamWriter page = new(OutputStream.Create("--html", html)) { NewLine = "\n" };
            ReplayHtml.Write(report, page);
        }

        if (request.Json)
        {
            ReplayJson.Write(report, CommandLine.Version, host.Out);
        }
        else
        {
            ReplayText.Write(report, host.Out);
        }

        return ExitCode.Pass;
    }

    private ReplayReport Replay(CancellationToken interrupted)
    {
        using TraceReader reader = TraceReader.Open(request.File);
        using var progress = new ReplayProgressPrinter(host.Error, host.ErrorIsTerminal, TimeProvider.System);
        using Stream? timeline = request.TraceOut is { } file ? OutputStream.Create("--trace-out", file) : null;
        return Replayer.Run(reader, request.File, new ReplayOptions
        {
            Selection = request.Selection,
            Kernel = request.Kernel,
            Policies = request.Policies,
            HasSwap = request.HasSwap,
            HugePages = request.HugePages,
            Costs = request.Costs,
            TimelineOut = timeline,
            OnProgress = progress.Report,
            Cancellation = interrupted,
        });
    }
}
