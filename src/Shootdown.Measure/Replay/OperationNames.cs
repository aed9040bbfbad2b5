namespace Shootdown.Measure;

/// <summary>What reports call the operation that a thread is in.</summary>
internal static class OperationNames
{
    private static readonly Dictionary<long, string> AdviceNames = new()
    {
        [4] = "DONTNEED",
        [8] = "FREE",
        [9] = "REMOVE",
        [14] = "HUGEPAGE",
        [15] = "NOHUGEPAGE",
        [20] = "COLD",
        [21] = "PAGEOUT",
        [24] = "DONTNEED_LOCKED",
        [25] = "COLLAPSE",
    };

    private static readonly string[] Daemons = ["kswapd", "khugepaged", "kcompactd", "ksmd", "kdamond"];

    /// <summary>A system call, with what decides its flushes.</summary>
    public static string Of(in TraceEvent call, NameTable names) => call.Call switch
    {
        MemoryCall.Madvise or MemoryCall.ProcessMadvise
            => $"{MemoryCalls.NameOf(call.Call)}({(AdviceNames.TryGetValue(call.A2, out string? name) ? name : call.A2)})",
        MemoryCall.Mprotect or MemoryCall.PkeyMprotect => $"mprotect({Protection(call.A2)})",
        MemoryCall.Other => names[call.Name],
        _ => MemoryCalls.NameOf(call.Call),
    };

    /// <summary>A fault, by its error code.</summary>
    public static string OfFault(long errorCode) => (errorCode & 3) switch
    {
        3 => "fault (write to present page)",
        2 => "fault (write)",
        _ => "fault (read)",
    };

    /// <summary>A kernel thread that works on other address spaces; null if it is none.</summary>
    public static string? OfDaemon(string comm) => Array.Find(Daemons, daemon => comm.StartsWith(daemon, StringComparison.Ordinal));

    private static string Protection(long bits)
        => (bits & 7) == 0 ? "NONE" : ((bits & 1) != 0 ? "R" : "") + ((bits & 2) != 0 ? "W" : "") + ((bits & 4) != 0 ? "X" : "");
}
