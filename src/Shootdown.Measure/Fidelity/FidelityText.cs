using System.Globalization;
using System.Text;

namespace Shootdown.Measure;

/// <summary>The comparison with real kernels as a table in Markdown: what docs/fidelity.md shows.</summary>
public static class FidelityText
{
    /// <summary>One line for each operation, with the rows of each kernel that has a profile.</summary>
    public static string Table(Fidelity fidelity)
    {
        ArgumentNullException.ThrowIfNull(fidelity);
        string[] kernels = [.. TimedProfile.All.Select(profile => profile.Name)];
        var text = new StringBuilder();
        text.Append("| operation |").AppendJoin("|", kernels.Select(kernel => $" {kernel} exact | different | not modelled "));
        text.AppendLine("| why not |");
        text.Append("|---|").AppendJoin("|", kernels.Select(_ => "---|---|---")).AppendLine("|---|");
        IEnumerable<IGrouping<string, FidelityRow>> operations = Known(fidelity).GroupBy(row => row.Row.Operation);
        foreach (IGrouping<string, FidelityRow> operation in operations.OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            string[] reasons = [.. operation.Where(row => row.Verdict != FidelityVerdict.Exact).Select(Reason).Distinct()];
            AppendLine(text, operation.Key, kernels, operation, string.Join("; ", reasons));
        }

        AppendLine(text, "**all**", kernels, Known(fidelity), string.Empty);
        return text.ToString().ReplaceLineEndings("\n");
    }

    private static IEnumerable<FidelityRow> Known(Fidelity fidelity) => fidelity.Rows.Where(row => KernelOf(row) is not null);

    private static string? KernelOf(FidelityRow row) => BenchMachine.HasProfile(row.Row.Kernel) ? BenchMachine.Of(row.Row.Kernel)!.Profile.Name : null;

    private static string Reason(FidelityRow row) => row.Verdict == FidelityVerdict.NotModelled ? row.Reason
        : string.Create(CultureInfo.InvariantCulture, $"{row.Row.Pages} {row.Row.Mode} {row.Row.Helpers}, {row.Row.Kernel}: {row.Reason}");

    private static void AppendLine(StringBuilder text, string name, string[] kernels, IEnumerable<FidelityRow> rows, string reason)
    {
        FidelityRow[] all = [.. rows];
        text.Append(CultureInfo.InvariantCulture, $"| {name} |").AppendJoin("|", kernels.Select(kernel =>
            string.Join('|', Enum.GetValues<FidelityVerdict>().Select(verdict =>
                $" {all.Count(row => KernelOf(row) == kernel && row.Verdict == verdict).ToString(CultureInfo.InvariantCulture)} "))));
        text.Append(CultureInfo.InvariantCulture, $"| {reason} |").AppendLine();
    }
}
