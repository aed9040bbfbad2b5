using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>
/// Writes the JSON documents, one a command. The schema's number changes when a field changes its meaning or goes away;
/// new fields may come at any time.
/// </summary>
public static class ReportJson
{
    /// <summary>Writes the document of <c>check --json</c>.</summary>
    public static void WriteChecks(
        IReadOnlyList<(CheckReport Report, CheckInvocation Invocation)> checks, int notRun, int exitCode, string version, TextWriter writer)
    {
        var document = new CheckDocument(
            "shootdown/check/1",
            version,
            [.. checks.Select(check => CheckEntry.Of(check.Report, check.Invocation))],
            CheckSummary.Of([.. checks.Select(check => check.Report)], notRun),
            exitCode);
        writer.WriteLine(JsonSerializer.Serialize(document, ReportJsonContext.Readable.CheckDocument));
    }

    /// <summary>Writes the document of <c>pairs --json</c>.</summary>
    public static void WriteMatrix(MatrixReport matrix, int exitCode, string version, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteLine(JsonSerializer.Serialize(
            MatrixDocument.Of(matrix, version, exitCode), ReportJsonContext.Readable.MatrixDocument));
    }

    /// <summary>Writes the document of <c>seeds --json</c>.</summary>
    public static void WriteSeeds(IReadOnlyList<SeedEntry> entries, double elapsedSeconds, int exitCode, string version, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteLine(JsonSerializer.Serialize(
            SeedsDocument.Of(entries, elapsedSeconds, version, exitCode), ReportJsonContext.Readable.SeedsDocument));
    }

    /// <summary>Writes the document of <c>paths --json</c>.</summary>
    public static void WritePaths(PathsPage page, string version, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteLine(JsonSerializer.Serialize(
            new PathsDocument("shootdown/paths/1", version, page), ReportJsonContext.Readable.PathsDocument));
    }

    /// <summary>Writes the document of <c>designs --json</c>.</summary>
    public static void WriteDesigns(DesignReport report, int exitCode, string version, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteLine(JsonSerializer.Serialize(
            DesignDocument.Of(report, version, exitCode), ReportJsonContext.Readable.DesignDocument));
    }

    /// <summary>Writes the document of <c>list --json</c>.</summary>
    public static void WriteList(IReadOnlyList<ScenarioCard> cards, TextWriter writer)
    {
        var document = new ListDocument("shootdown/list/1", [.. cards.Select(ListEntry.Of)]);
        writer.WriteLine(JsonSerializer.Serialize(document, ReportJsonContext.Readable.ListDocument));
    }

    /// <summary>Writes the document of <c>explain --json</c>.</summary>
    public static void WriteExplanation(ScenarioCard card, TextWriter writer)
    {
        var document = new ExplainDocument("shootdown/explain/1", card);
        writer.WriteLine(JsonSerializer.Serialize(document, ReportJsonContext.Readable.ExplainDocument));
    }
}

/// <summary>Generated serialisers: reflection would cost a tenth of a second at start.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(CheckDocument))]
[JsonSerializable(typeof(ListDocument))]
[JsonSerializable(typeof(MatrixDocument))]
[JsonSerializable(typeof(SeedsDocument))]
[JsonSerializable(typeof(DesignDocument))]
[JsonSerializable(typeof(ExplainDocument))]
[JsonSerializable(typeof(PathsDocument))]
internal sealed partial class ReportJsonContext : JsonSerializerContext
{
    /// <summary>Leaves <c>&lt;--</c> and quotes as they are: the output is not for HTML.</summary>
    public static ReportJsonContext Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NewLine = "\n",
    });
}
