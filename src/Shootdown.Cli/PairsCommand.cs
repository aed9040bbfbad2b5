using System.Diagnostics;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Crosses the operations with each other and writes the matrix.</summary>
internal sealed class PairsCommand(CliHost host, PairsRequest request)
{
    /// <summary>Runs it; returns the exit code.</summary>
    public int Run()
    {
        PairsPlan plan = PairsPlan.Of(host, request);
        if (request.ListsOperations)
        {
            WriteOperations(plan);
            return ExitCode.Pass;
        }

        if (plan.Problem.Length > 0)
        {
            host.Error.WriteLine($"shootdown: {plan.Problem}");
            return ExitCode.Unsupported;
        }

        using var interruption = new CancellationTokenSource();
        using IDisposable? listening = host.OnInterrupt(interruption.Cancel);
        BatchProgressPrinter? progress = request.Progress(host, "machines");
        var clock = Stopwatch.StartNew();
        CheckOptions options = request.BatchOptions(host, interruption.Token);
        IReadOnlyList<PairResult> results = RunLimits.Exploring(() => PairRun.Run(plan.Cells, plan.Setup, options, progress));
        progress?.Clear();
        PairSearch? search = IsFound(results) ? null : LargerMachines(plan, interruption.Token);
        if (plan.Patches.Count > 0 && search?.Shown is { } larger)
        {
            results = [.. results, new PairResult(larger, RunLimits.Exploring(() => PairRun.Check(larger, plan.Setup, options)))];
        }

        MatrixReport matrix = Matrix(plan, results, search) with { ElapsedSeconds = clock.Elapsed.TotalSeconds };
        int exitCode = interruption.IsCancellationRequested
            ? ExitCode.Inconclusive
            : ExitCode.Of([.. results.Select(result => result.Report)]);
        if (request.Json)
        {
            ReportJson.WriteMatrix(matrix, exitCode, CommandLine.Version, host.Out);
        }
        else
        {
            MatrixText.Write(matrix, request.Detail, host.Out);
        }

        return exitCode;
    }

    private MatrixReport Matrix(PairsPlan plan, IReadOnlyList<PairResult> results, PairSearch? search)
    {
        string model = plan.Setup.Model == MemoryModelKind.Sc ? ModelNames.Sc : ModelNames.X86Tso;
        return new MatrixReport(
            plan.Kernel,
            model,
            [.. plan.Operations.Select(operation => operation.Id)],
            [.. results.Select(result => Entry(result, model))],
            plan.Cells.Count - results.Count,
            [.. Bounds(plan, model), .. IsFound(results) ? [] : PairHints.NotFound(plan.Bug, plan.Patches, search)]);
    }

    private static bool IsFound(IReadOnlyList<PairResult> results) => results.Any(result => result.Report.Verdict == Verdict.Violation);

    /// <summary>Only for the matrix as a whole: who asks for some operations wants to know about those.</summary>
    private PairSearch? LargerMachines(PairsPlan plan, CancellationToken interrupted)
    {
        bool isWhole = request.Operations.Count == 0 && request.Machine is null && !request.Triples;
        if ((plan.Bug is null && plan.Patches.Count == 0) || !isWhole || interrupted.IsCancellationRequested)
        {
            return null;
        }

        if (request.ShowsProgress)
        {
            host.Error.WriteLine("no machine shows it: trying larger ones, for a minute at most");
        }

        return PairSearch.Run(plan.Operations, plan.Setup, request.BatchOptions(host, interrupted) with { MinimiserStatesMax = 1, Schedule = null });
    }

    private MatrixEntry Entry(PairResult result, string model)
    {
        string[] ids = [.. result.Cell.Operations.Select(operation => operation.Id)];
        string[] words =
        [
            "./shootdown pairs " + string.Join(' ', ids),
            .. request.Files.Select(CheckInvocation.Quoted),
            .. request.Bug is { } bug ? [$"--bug {bug}"] : Array.Empty<string>(),
            .. request.Patch is { } patch ? [$"--patch {patch}"] : Array.Empty<string>(),
            .. result.Cell.Operations.Count > 2 ? ["--triples"] : Array.Empty<string>(),
            "--machine " + result.Cell.Machine,
            "--model " + model,
        ];
        var invocation = new CheckInvocation(string.Join(" x ", ids), "core", model, [], request.Schedule is not null)
        {
            OwnWords = words,
        };
        return new MatrixEntry(ids, result.Cell.Machine, result.Report, result.JudgedNothing, invocation);
    }

    private static IEnumerable<string> Bounds(PairsPlan plan, string model)
    {
        int operations = plan.Cells.Count == 0 ? 2 : plan.Cells[0].Operations.Count;
        yield return $"more than {operations} operations at a time, one call of each, on 1 or 2 pages, with one more CPU; page tables of one level, "
            + "two where tables are freed";
        yield return $"memory models other than {model}";
    }

    private void WriteOperations(PairsPlan plan)
    {
        int width = plan.Operations.Max(operation => operation.Id.Length);
        foreach (MmOperation operation in plan.Operations)
        {
            string kinds = string.Join(", ", Enum.GetValues<PageKind>().Where(operation.Meets).Select(kind => kind.ToString().ToLowerInvariant()));
            string promise = operation.Promises switch
            {
                PromiseKind.Removed => "removes translations",
                PromiseKind.WriteProtected => "takes the right to write",
                PromiseKind.StoresReported => "takes the right to write, reports stores",
                PromiseKind.WritesForgotten => "takes the right to write, forgets earlier writes",
                PromiseKind.ContentsGivenUp => "gives contents up",
                PromiseKind.StoresAllowed => "lets stores through again",
                _ => "promises nothing",
            };
            host.Out.WriteLine($"{operation.Id.PadRight(width)}  {promise}; {kinds} memory");
        }

        host.Out.WriteLine();
        host.Out.WriteLine($"{plan.Operations.Count} operations. docs/operation.md shows how to add one, and how to try a patch.");
    }
}
