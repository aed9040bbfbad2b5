namespace Shootdown.Report;

/// <summary>The JSON document of <c>pairs --json</c>; docs/json.md describes it.</summary>
internal sealed record MatrixDocument(
    string Schema,
    string Version,
    string Kernel,
    string Model,
    IReadOnlyList<string> Operations,
    IReadOnlyList<MachineEntry> Machines,
    int NotRun,
    double ElapsedSeconds,
    int ExitCode)
{
    public static MatrixDocument Of(MatrixReport matrix, string version, int exitCode) => new(
        "shootdown/pairs/1",
        version,
        matrix.Kernel,
        matrix.Model,
        matrix.Operations,
        [.. matrix.Entries.Select(MachineEntry.Of)],
        matrix.NotRun,
        matrix.ElapsedSeconds,
        exitCode);
}

/// <summary>One machine.</summary>
internal sealed record MachineEntry(
    IReadOnlyList<string> Operations, string Machine, bool JudgedNothing, CheckEntry Check)
{
    public static MachineEntry Of(MatrixEntry entry)
        => new(entry.Operations, entry.Machine, entry.JudgedNothing, CheckEntry.Of(entry.Result, entry.Invocation));
}
