using System.Text;
using Shootdown.Measure;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Measure;

/// <summary>Traces for tests: extracts of real ones, and text written in place.</summary>
internal static class TraceText
{
    /// <summary>A real trace or an extract of one.</summary>
    public static string PathOf(string name) => Repository.PathOf($"tests/Shootdown.Tests/Measure/Data/{name}");

    /// <summary>All events of a text, and the reader behind them.</summary>
    public static (IReadOnlyList<TraceEvent> Events, TraceReader Reader) Read(string text) => Read(Encoding.UTF8.GetBytes(text));

    /// <summary>All events of some bytes.</summary>
    public static (IReadOnlyList<TraceEvent> Events, TraceReader Reader) Read(byte[] bytes) => Read(TraceReader.Open(new MemoryStream(bytes), "test"));

    /// <summary>All events of an extract.</summary>
    public static (IReadOnlyList<TraceEvent> Events, TraceReader Reader) ReadData(string name) => Read(TraceReader.Open(PathOf(name)));

    /// <summary>Replays a text under the rules of a kernel.</summary>
    public static ReplayReport Replay(string text, TimedProfile? kernel = null)
    {
        using TraceReader reader = TraceReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(text)), "test");
        return Replayer.Run(reader, "test", new ReplayOptions { Kernel = kernel });
    }

    /// <summary>Problems as "kind count first-line".</summary>
    public static IEnumerable<string> Problems(TraceReader reader) => reader.Problems.All.Select(p => $"{p.Kind} {p.Count} {p.Lines[0]}");

    private static (IReadOnlyList<TraceEvent> Events, TraceReader Reader) Read(TraceReader reader)
    {
        var events = new List<TraceEvent>();
        while (reader.TryRead(out TraceEvent next))
        {
            events.Add(next);
        }

        reader.Dispose();
        return (events, reader);
    }
}
