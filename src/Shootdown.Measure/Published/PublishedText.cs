using System.Globalization;
using System.Text;

namespace Shootdown.Measure;

/// <summary>The table of docs/published.md.</summary>
public static class PublishedText
{
    /// <summary>Runs everything and writes the table (Markdown).</summary>
    public static string Table()
    {
        var text = new StringBuilder();
        text.Append("| figure, after over before | source | workload, CPUs | policies | published | model | error |\n|---|---|---|---|---|---|---|\n");
        foreach (PublishedResult result in PublishedResult.All)
        {
            double model = result.Measure();
            text.Append(CultureInfo.InvariantCulture, $"| {result.Title} | {result.Source} | {result.AfterWorkload ?? result.Workload}, {result.Cpus} | ");
            text.Append(CultureInfo.InvariantCulture, $"{result.Before}, {result.After} | {result.Published:0.000} | {model:0.000} | ");
            text.Append(CultureInfo.InvariantCulture, $"{Math.Round(100 * ((model / result.Published) - 1)):+0;-0;0} % |\n");
        }

        return text.ToString();
    }
}
