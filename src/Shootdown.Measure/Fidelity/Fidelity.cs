using System.Globalization;

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
        => Rows.Count(row => row.Verdict == verdict && (kernel is null || row.Row.Kernel == kernel));

    private static FidelityRow Compare(BenchRow row)
    {
        if (TimedProfile.Find(row.Kernel) is not { } profile)
        {
            return new(row, FidelityVerdict.NotModelled, null, 0, $"there is no profile of kernel {row.Kernel}");
        }

        if (NotModelled(row) is { } reason)
        {
            return new(row, FidelityVerdict.NotModelled, null, 0, reason);
        }

        if (!BenchOperation.All.TryGetValue(row.Operation, out BenchOperation? operation))
        {
            return new(row, FidelityVerdict.NotModelled, null, 0, "the kernel library does not have the operation");
        }

        (Signature events, long interrupts, _) = TlbBench.Run(profile, operation, row.Pages, row.Mode, row.Helpers, row.Cpus);
        bool same = row.Signatures.Contains(events);
        bool counts = operation.InterruptsHoldOthers || Math.Abs(row.Interrupts - interrupts) < InterruptTolerance;
        string difference = same && counts ? string.Empty
            : !same ? $"events {events}, recorded {string.Join(" or ", row.Signatures)}"
            : string.Create(CultureInfo.InvariantCulture, $"{interrupts} TLB interrupts, recorded {row.Interrupts}");
        return new(row, same && counts ? FidelityVerdict.Exact : FidelityVerdict.Different, events, interrupts, difference);
    }

    private static string? NotModelled(BenchRow row) => row.Operation switch
    {
        "collapse" => "collapse of anonymous memory is not in the kernel library",
        "move_pages" => "what happens depends on the NUMA node of the pages, which the table does not say",
        _ => row.Mode is "none" or "spin" or "lazy" or "sleep" ? null : $"the mode {row.Mode} is not known",
    };
}
