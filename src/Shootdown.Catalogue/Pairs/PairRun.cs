using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>A cell and what came out.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="Report">The result of its check.</param>
public sealed record PairResult(PairCell Cell, CheckReport Report)
{
    /// <summary>True if the run was clean because its properties had nothing to judge: no promise was made and nothing was freed.</summary>
    public bool JudgedNothing => Report.Verdict == Verdict.Pass && Report.Coverage.All(property => property.TimesExercised == 0);
}

/// <summary>How far a matrix is.</summary>
/// <param name="Done">Cells that are done.</param>
/// <param name="Total">Cells in all.</param>
/// <param name="Violations">Cells with a violation so far.</param>
/// <param name="States">States so far.</param>
/// <param name="ElapsedSeconds">Time so far.</param>
public sealed record PairProgress(int Done, int Total, int Violations, long States, double ElapsedSeconds);

/// <summary>Runs the cells of a matrix, several at a time, each on one thread.</summary>
public static class PairRun
{
    /// <summary>Runs them; returns the results of those that were run, in the order of the cells.</summary>
    /// <param name="cells">The cells.</param>
    /// <param name="setup">Which kernel, on what machine.</param>
    /// <param name="options">Limits for each cell; the workers are for the whole run.</param>
    /// <param name="progress">Told after every cell, from any thread.</param>
    public static IReadOnlyList<PairResult> Run(
        IReadOnlyList<PairCell> cells, PairSetup setup, CheckOptions options, IProgress<PairProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(cells);
        ArgumentNullException.ThrowIfNull(options);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var results = new PairResult?[cells.Count];
        int workers = options.Workers > 0 ? options.Workers : Environment.ProcessorCount;
        CheckOptions each = options with { Workers = 1, MemoryBytes = options.MemoryBytes / workers, Progress = null };
        int done = 0;
        int violations = 0;
        long states = 0;

        // The costly cells are those with many operations that flush; the order only evens out the end of the run.
        Parallel.For(0, cells.Count, new ParallelOptions { MaxDegreeOfParallelism = workers }, (i, loop) =>
        {
            if (options.Cancellation.IsCancellationRequested)
            {
                loop.Stop();
                return;
            }

            CheckReport report = Check(cells[i], setup, each);
            results[i] = new PairResult(cells[i], report);
            if (report.Verdict == Verdict.Violation)
            {
                Interlocked.Increment(ref violations);
            }

            long visited = Interlocked.Add(ref states, report.Stats.States);
            progress?.Report(new PairProgress(
                Interlocked.Increment(ref done), cells.Count, Volatile.Read(ref violations), visited, clock.Elapsed.TotalSeconds));
        });
        return [.. results.OfType<PairResult>()];
    }

    /// <summary>Checks one cell.</summary>
    public static CheckReport Check(PairCell cell, PairSetup setup, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(cell);
        var subject = new CheckSubject(
            string.Join(" x ", cell.Operations.Select(operation => operation.Id)), string.Empty, cell.Name, "core", null, []);
        return Checker.Check(subject, () => PairModel.Build(cell, setup), options);
    }
}
