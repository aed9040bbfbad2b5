using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Shootdown.Check;

/// <summary>How far a batch of checks is.</summary>
/// <param name="Done">Checks that are done.</param>
/// <param name="Total">Checks in all.</param>
/// <param name="Violations">Violations so far.</param>
/// <param name="States">States so far.</param>
/// <param name="ElapsedSeconds">Time so far.</param>
public sealed record BatchProgress(int Done, int Total, int Violations, long States, double ElapsedSeconds);

/// <summary>Many small checks, several at a time, each on one thread: cheaper than many threads for each.</summary>
public static class CheckBatch
{
    /// <summary>Runs them; null for those that were not run because the batch was cancelled.</summary>
    /// <param name="checks">The checks.</param>
    /// <param name="options">Limits for each check; the workers and the memory are for the whole batch.</param>
    /// <param name="progress">Told after every check, from any thread.</param>
    public static IReadOnlyList<CheckReport?> Run(
        IReadOnlyList<Func<CheckOptions, CheckReport>> checks, CheckOptions options, IProgress<BatchProgress>? progress = null)
        => Run(checks, report => report, options, progress);

    /// <summary>Runs what consists of checks, or of something else; null for those that were not run because the batch was cancelled.</summary>
    /// <typeparam name="T">What each returns.</typeparam>
    /// <param name="checks">The checks.</param>
    /// <param name="reportOf">The check in what one returned; null if there is none.</param>
    /// <param name="options">Limits for each check; the workers and the memory are for the whole batch.</param>
    /// <param name="progress">Told after every check, from any thread.</param>
    public static IReadOnlyList<T?> Run<T>(
        IReadOnlyList<Func<CheckOptions, T>> checks,
        Func<T, CheckReport?> reportOf,
        CheckOptions options,
        IProgress<BatchProgress>? progress = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(checks);
        ArgumentNullException.ThrowIfNull(reportOf);
        ArgumentNullException.ThrowIfNull(options);
        var clock = Stopwatch.StartNew();
        var results = new T?[checks.Count];
        int workers = options.Workers > 0 ? options.Workers : Environment.ProcessorCount;
        CheckOptions each = options with { Workers = 1, MemoryBytes = options.MemoryBytes / workers, Progress = null };
        int done = 0;
        int violations = 0;
        long states = 0;
        ExceptionDispatchInfo? failure = null;
        Parallel.For(0, checks.Count, new ParallelOptions { MaxDegreeOfParallelism = workers }, (i, loop) =>
        {
            if (options.Cancellation.IsCancellationRequested)
            {
                loop.Stop();
                return;
            }

            T result;
            try
            {
                result = checks[i](each);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception exception)
            {
                // As from a loop: the first one, and not wrapped.
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(exception), null);
                loop.Stop();
                return;
            }

            results[i] = result;
            CheckReport? report = reportOf(result);
            int found = report?.Verdict == Verdict.Violation ? Interlocked.Increment(ref violations) : Volatile.Read(ref violations);
            long visited = Interlocked.Add(ref states, report?.Stats.States ?? 0);
            progress?.Report(new BatchProgress(
                Interlocked.Increment(ref done), checks.Count, found, visited, clock.Elapsed.TotalSeconds));
        });
        failure?.Throw();
        return results;
    }
}
