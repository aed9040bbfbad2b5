using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Shootdown.Measure;

namespace Shootdown.Report;

/// <summary>The JSON document of <c>replay --json</c>: <see cref="ReplayReport"/> with a schema's name before it.</summary>
public static class ReplayJson
{
    /// <summary>Writes the document.</summary>
    public static void Write(ReplayReport report, string version, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteLine(JsonSerializer.Serialize(new ReplayDocument("shootdown/replay/1", version, report), ReplayJsonContext.Readable.ReplayDocument));
    }
}

/// <summary>The document.</summary>
internal sealed record ReplayDocument(string Schema, string Version, ReplayReport Replay);

/// <summary>Generated serialisers.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, GenerationMode = JsonSourceGenerationMode.Metadata, UseStringEnumConverter = true)]
[JsonSerializable(typeof(ReplayDocument))]
internal sealed partial class ReplayJsonContext : JsonSerializerContext
{
    /// <summary>Indented, quotes as they are.</summary>
    public static ReplayJsonContext Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NewLine = "\n",
    });
}
