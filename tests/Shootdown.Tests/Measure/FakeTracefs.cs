using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Fills a new instance with the files that the kernel would make, and drops them all at once.</summary>
internal class FakeTracefs : TracefsFiles
{
    private string _instance = "";

    public FakeTracefs(string root)
        : base(root)
        => Directory.CreateDirectory(Path.Combine(root, "instances"));

    public bool HasFlushEvent { get; init; } = true;

    public string Setting(string path) => Read($"{_instance}/{path}");

    public override void CreateInstance(string path)
    {
        base.CreateInstance(path);
        _instance = path;
        foreach (string file in new[] { "tracing_on", "buffer_size_kb", "trace_clock", "options/record-tgid" })
        {
            Make(file, "");
        }

        foreach (string name in TraceRecorder.Events.Where(name => !name.EndsWith("mremap", StringComparison.Ordinal)))
        {
            if (HasFlushEvent || !name.StartsWith("tlb/", StringComparison.Ordinal))
            {
                Make($"events/{name}/enable", "");
            }
        }

        Make("options/latency-format", "1");
        Make("options/context-info", "0");
        Make("per_cpu/cpu0/stats", "entries: 5\noverrun: 9\ndropped events: 1\n");
        Make("per_cpu/cpu1/stats", "entries: 5\noverrun: 0\ndropped events: 2\n");
        Make("trace_pipe", "  a-10    (   10) [000] d..2.  1.000021: tlb_flush: pages:2 reason:local mm shootdown (3)\n");
    }

    public override void RemoveInstance(string path) => Directory.Delete(PathOf(path), recursive: true);

    private void Make(string path, string text)
    {
        string whole = Path.Combine(PathOf(_instance), path);
        Directory.CreateDirectory(Path.GetDirectoryName(whole)!);
        File.WriteAllText(whole, text);
    }
}
