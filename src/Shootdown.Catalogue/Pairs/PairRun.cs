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

/// <summary>Runs the cells of a matrix.</summary>
public static class PairRun
{
    /// <summary>Runs them; returns the results of those that were run, in the order of the cells.</summary>
    /// <param name="cells">The cells.</param>
    /// <param name="setup">Which kernel, on what machine.</param>
    /// <param name="options">Limits for each cell; workers and memory are for the whole run.</param>
    /// <param name="progress">Told after every cell, from any thread.</param>
    public static IReadOnlyList<PairResult> Run(
        IReadOnlyList<PairCell> cells, PairSetup setup, CheckOptions options, IProgress<BatchProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(cells);
        IReadOnlyList<CheckReport?> reports = CheckBatch.Run(
            [.. cells.Select(cell => new Func<CheckOptions, CheckReport>(each => Check(cell, setup, each)))], options, progress);
        return [.. cells.Zip(reports).Where(pair => pair.Second is not null).Select(pair => new PairResult(pair.First, pair.Second!))];
    }

    /// <summary>Checks one cell.</summary>
    public static CheckReport Check(PairCell cell, PairSetup setup, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(cell);
        ArgumentNullException.ThrowIfNull(setup);
        string id = string.Join(" x ", cell.Operations.Select(operation => operation.Id));
        var subject = new CheckSubject(
            id, string.Empty, cell.Around, setup.Name, null, [new Bound("cpus", $"{cell.Cpus}"), new Bound("pages", $"{cell.Pages}")]);
        return Checker.Check(subject, () => PairModel.Build(cell, setup), options);
    }
}
