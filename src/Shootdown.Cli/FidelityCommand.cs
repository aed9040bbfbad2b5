using System.Text.Json;
using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Predicts what recorded kernels did, operation by operation, and compares.</summary>
internal sealed class FidelityCommand(CliHost host, IReadOnlyList<string> files, bool json)
{
    private const string Hint = "./shootdown fidelity --help";
    private static readonly JsonSerializerOptions JsonNames = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true };

    /// <summary>Runs it; returns the exit code: 0 even if rows differ, for the report is what was asked for.</summary>
    public int Run()
    {
        if (files.Count != 1)
        {
            throw new UsageException("fidelity takes one table of recorded operations", Hint);
        }

        Fidelity fidelity;
        try
        {
            fidelity = Fidelity.Run(files[0]);
        }
        catch (FidelityFileException error)
        {
            host.Error.WriteLine($"shootdown: {error.Message}");
            return ExitCode.Unsupported;
        }

        if (json)
        {
            WriteJson(fidelity);
        }
        else
        {
            WriteText(fidelity);
        }

        return ExitCode.Pass;
    }

    private void WriteJson(Fidelity fidelity)
    {
        var rows = fidelity.Rows.Select(row => new
        {
            row.Row.Line,
            row.Row.Operation,
            row.Row.Pages,
            row.Row.Mode,
            row.Row.Helpers,
            row.Row.Kernel,
            Profile = BenchMachine.Of(row.Row.Kernel)?.Profile.Name,
            Verdict = Word(row.Verdict),
            Recorded = row.Row.Signatures.Select(events => events.ToString()),
            RecordedInterrupts = row.Row.Interrupts,
            Predicted = row.Predicted?.ToString(),
            PredictedInterrupts = row.Predicted is null ? (long?)null : row.Interrupts,
            row.Reason,
        });
        host.Out.WriteLine(JsonSerializer.Serialize(new { File = files[0], Rows = rows }, JsonNames));
    }

    private void WriteText(Fidelity fidelity)
    {
        var table = new NumberTable("kernel", "rows", "exact", "different", "not modelled", "exact of modelled");
        foreach (IGrouping<string, FidelityRow> kernel in fidelity.Rows.GroupBy(row => row.Row.Kernel))
        {
            int exact = kernel.Count(row => row.Verdict == FidelityVerdict.Exact);
            int different = kernel.Count(row => row.Verdict == FidelityVerdict.Different);
            table.Add(
                kernel.Key,
                Quantity.Exact(kernel.Count()),
                Quantity.Exact(exact),
                Quantity.Exact(different),
                Quantity.Exact(kernel.Count() - exact - different),
                exact + different == 0 ? "-" : FormattableString.Invariant($"{100.0 * exact / (exact + different):0.0} %"));
        }

        table.Write(host.Out, "");
        foreach (string kernel in fidelity.Rows.Select(row => row.Row.Kernel).Distinct().Where(kernel => !BenchMachine.HasProfile(kernel)))
        {
            host.Out.WriteLine(BenchMachine.Of(kernel) is { } nearest
                ? $"  There is no profile of {kernel}: its rows are predicted by the nearest, {nearest.Profile.Name}."
                : $"  '{kernel}' is no version of a kernel: its rows are not predicted.");
        }

        foreach (IGrouping<FidelityVerdict, FidelityRow> verdict in fidelity.Rows.Where(row => row.Verdict != FidelityVerdict.Exact)
            .GroupBy(row => row.Verdict).OrderBy(group => group.Key))
        {
            host.Out.WriteLine();
            host.Out.WriteLine($"{Word(verdict.Key)}:");
            foreach (FidelityRow row in verdict)
            {
                BenchRow what = row.Row;
                host.Out.WriteLines(Paragraph.Wrap(
                    $"line {what.Line}: {what.Operation} {what.Pages} {what.Mode} {what.Helpers}, {what.Kernel}: {row.Reason}", "  ", "      ", 100));
            }
        }
    }

    private static string Word(FidelityVerdict verdict) => verdict switch
    {
        FidelityVerdict.Exact => "exact",
        FidelityVerdict.Different => "different",
        _ => "not modelled",
    };
}
