using System.Globalization;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Shootdown.Measure;

/// <summary>
/// A cost file for this machine: the default one with every field that a measurement stands for scaled by what it takes here
/// over what it takes there.
/// </summary>
public static class CalibratedCosts
{
    private const string WithRemote = ", one CPU to interrupt";

    /// <summary>
    /// Measurements that cannot all be right: a call that interrupts a CPU takes longer than the same call alone, by about what an
    /// interrupt takes. On a busy machine the thread that should be interrupted is not running.
    /// </summary>
    /// <param name="rows">Measurements.</param>
    /// <returns>One line for each contradiction.</returns>
    public static IEnumerable<string> Contradictions(IReadOnlyList<CalibrationRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        const int share = 4;
        double interrupt = rows.FirstOrDefault(row => row.Name.StartsWith("interrupt", StringComparison.Ordinal))?.MedianNs ?? 0;
        foreach (CalibrationRow remote in rows.Where(row => row.Name.EndsWith(WithRemote, StringComparison.Ordinal)))
        {
            CalibrationRow? alone = rows.FirstOrDefault(row => row.Name == remote.Name[..^WithRemote.Length]);
            if (alone is not null && remote.MedianNs - alone.MedianNs < interrupt / share)
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{remote.Name}: {remote.MedianNs:0} ns, alone {alone.MedianNs:0} ns, and an interrupt takes {interrupt:0} ns: "
                    + $"the other CPU was not interrupted. The machine is busy; the costs of interrupts are not to be relied on: measure again");
            }
        }
    }

    /// <summary>Writes the file.</summary>
    /// <param name="rows">Measurements.</param>
    /// <param name="description">The machine.</param>
    /// <param name="output">Where to.</param>
    /// <returns>Fields that no measurement stands for.</returns>
    public static IReadOnlyList<string> Write(IReadOnlyList<CalibrationRow> rows, string description, Stream output)
    {
        using Stream source = Assembly.GetExecutingAssembly().GetManifestResourceStream("costs.default.json")
            ?? throw new InvalidOperationException("costs/default.json is not part of this assembly");
        using JsonDocument defaults = JsonDocument.Parse(source);
        Dictionary<string, double> ratios = rows.SelectMany(row => row.Fields.Select(field => (Field: field, Ratio: row.MedianNs / row.ReferenceNs)))
            .ToDictionary(pair => pair.Field, pair => pair.Ratio);
        var kept = new List<string>();
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };
        using var writer = new Utf8JsonWriter(output, options);
        writer.WriteStartObject();
        writer.WriteString("description", description);
        foreach (JsonProperty group in defaults.RootElement.EnumerateObject().Where(property => property.Value.ValueKind == JsonValueKind.Object))
        {
            writer.WriteStartObject(group.Name);
            foreach (JsonProperty field in group.Value.EnumerateObject())
            {
                string name = $"{group.Name}.{field.Name}";
                int value = field.Value.GetInt32();
                if (ratios.TryGetValue(name, out double ratio))
                {
                    value = Math.Max(1, (int)Math.Round(value * ratio));
                }
                else
                {
                    kept.Add(name);
                }

                writer.WriteNumber(field.Name, value);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
        return kept;
    }

    /// <summary>This machine in a line: CPUs, model, kernel.</summary>
    public static string Describe()
    {
        const string file = "/proc/cpuinfo";
        string? model = File.Exists(file)
            ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim()
            : null;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} CPUs, {model ?? "unknown model"}, Linux {Environment.OSVersion.Version}: shootdown calibrate");
    }
}
