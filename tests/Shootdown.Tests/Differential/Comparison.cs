using Shootdown.Check;

namespace Shootdown.Tests.Differential;

/// <summary>Explores many programs in a slow way and in a fast one, and compares.</summary>
internal static class Comparison
{
    /// <summary>
    /// Requires the same verdicts, and without a violation the same observable final states. Programs that are too large for one of the
    /// two are skipped.
    /// </summary>
    /// <param name="count">Number of programs.</param>
    /// <param name="shareThatMustFinish">How many of them must be small enough.</param>
    /// <param name="names">What the two ways are called.</param>
    /// <param name="explore">Explores the program of a seed; the last member prints it.</param>
    /// <returns>The number of programs that have a violation.</returns>
    internal static int Run(
        int count,
        double shareThatMustFinish,
        (string Slow, string Fast) names,
        Func<int, (ExplorationResult Slow, ExplorationResult Fast, object Program)> explore)
    {
        int compared = 0;
        int violations = 0;
        for (int seed = 0; seed < count; seed++)
        {
            (ExplorationResult slow, ExplorationResult fast, object program) = explore(seed);
            if (slow.Incomplete is not null || fast.Incomplete is not null)
            {
                continue;
            }

            compared++;
            violations += slow.Violation is null ? 0 : 1;
            Assert.True(
                slow.Violation is null == fast.Violation is null,
                $"{names.Slow}: {slow.Violation?.Sentence ?? "no violation"}; {names.Fast}: {fast.Violation?.Sentence ?? "no violation"}\n{program}");
            Assert.True(
                slow.Violation is not null || slow.FinalStates.SetEquals(fast.FinalStates),
                $"{names.Slow}: {slow.FinalStates.Count} final states; {names.Fast}: {fast.FinalStates.Count}, or others\n{program}");
        }

        Assert.True(compared >= count * shareThatMustFinish, $"only {compared} of {count} programs were small enough to compare");
        return violations;
    }
}
