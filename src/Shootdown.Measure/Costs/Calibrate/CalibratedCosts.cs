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
