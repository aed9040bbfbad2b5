using System.Globalization;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>How a prediction compares with what a real kernel did.</summary>
public enum FidelityVerdict
{
    /// <summary>The same events and the same number of TLB interrupts.</summary>
    Exact,

    /// <summary>Not the same.</summary>
    Different,

    /// <summary>Nothing is predicted; the reason says why.</summary>
    NotModelled,
}

/// <summary>One row compared.</summary>
/// <param name="Row">What a real kernel did.</param>
/// <param name="Verdict">How the prediction compares.</param>
/// <param name="Predicted">The predicted events; null if there is no prediction.</param>
/// <param name="Interrupts">The predicted TLB interrupts.</param>
/// <param name="Reason">Why it is not modelled, or what differs.</param>
public sealed record FidelityRow(BenchRow Row, FidelityVerdict Verdict, Signature? Predicted, long Interrupts, string Reason);

/// <summary>
/// Predicts every row of per-operation.csv by running the operation's kernel code on a timed machine, and compares. No row is looked
/// at before its prediction is made.
/// </summary>
public sealed class Fidelity
{
    private const double InterruptTolerance = 0.5;

    private Fidelity(IReadOnlyList<FidelityRow> rows) => Rows = rows;

    /// <summary>All rows, in the order of the file.</summary>
    public IReadOnlyList<FidelityRow> Rows { get; }

    /// <summary>Compares all rows of a file.</summary>
    /// <exception cref="FidelityFileException">The file cannot be read or a line is not understood.</exception>
    public static Fidelity Run(string csvPath) => new([.. BenchRow.Read(csvPath).Select(Compare)]);

    /// <summary>Rows with a verdict, of a kernel if one is given.</summary>
    public int Count(FidelityVerdict verdict, string? kernel = null)
        => Rows.Count(row => row.Verdict == verdict && (kernel is null || BenchMachine.Of(row.Row.Kernel)?.Profile.Name == kernel));

    private static FidelityRow Compare(BenchRow row)
    {
        if (WhyNot(row) is { } reason)
        {
            return new(row, FidelityVerdict.NotModelled, null, 0, reason);
        }

        BenchOperation operation = BenchOperation.All[row.Operation];
        (Signature Events, long Interrupts) Predict(bool secondTime)
        {
            (Signature events, long interrupts, _) = TlbBench.Run(
                BenchMachine.Of(row.Kernel)!, operation, row.Pages, row.Mode, row.Helpers, row.Cpus, secondTime);
            return (events, interrupts);
        }

        (Signature Events, long Interrupts) first = Predict(false);
        return Compare(row, operation, first, operation.EverySecondTime is null ? first : Predict(true));
    }

    /// <summary>Why a row cannot be predicted; null if it can.</summary>
    private static string? WhyNot(BenchRow row)
    {
        bool known = BenchOperation.All.TryGetValue(row.Operation, out BenchOperation? operation);
        return BenchMachine.Of(row.Kernel) is null ? $"'{row.Kernel}' is no version of a kernel, e.g. 6.12"
            : row.Mode is not ("none" or "spin" or "spin0" or "lazy" or "sleep") ? $"the mode {row.Mode} is not known; there are none, spin, spin0, lazy, sleep"
            : !known ? "the kernel library does not have the operation"
            : row.Cpus is < 1 or > CpuSet.CpusMax ? $"a machine of {row.Cpus} CPUs; 1 to {CpuSet.CpusMax} are modelled"
            : row.Mode != "none" && row.Helpers >= row.Cpus ? $"{row.Helpers} helpers on {row.Cpus} CPUs: one shares the CPU of the operation"
            : row.Pages < operation!.PagesMin ? "the operation needs at least one page"
            : (long)row.Pages * operation.PagesOfUnit > TlbBench.ArenaPages ? $"larger than the {TlbBench.ArenaPages} pages that the measuring program uses"
            : null;
    }

    /// <summary>A row with one state, or with two that alternate: then all that was recorded must be one of the two.</summary>
    private static FidelityRow Compare(
        BenchRow row, BenchOperation operation, (Signature Events, long Interrupts) first, (Signature Events, long Interrupts) second)
    {
        bool alternates = operation.EverySecondTime is not null;
        bool same = alternates
            ? row.Signatures.All(events => events.Equals(first.Events) || events.Equals(second.Events))
            : row.Signatures.Contains(first.Events);
        bool counts = operation.InterruptsHoldOthers || Math.Abs(row.Interrupts - first.Interrupts) < InterruptTolerance
            || (alternates && Math.Abs(row.Interrupts - second.Interrupts) < InterruptTolerance);
        string difference = same && counts ? string.Empty
            : !same ? $"events {first.Events}, recorded {string.Join(" or ", row.Signatures)}"
            : string.Create(CultureInfo.InvariantCulture, $"{first.Interrupts} TLB interrupts, recorded {row.Interrupts}");
        return new(row, same && counts ? FidelityVerdict.Exact : FidelityVerdict.Different, first.Events, first.Interrupts, difference);
    }
}
