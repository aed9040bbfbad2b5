namespace Shootdown.Measure;

/// <content>
/// Call sites: the first frame of user code behind a shootdown that is not the C library's, else the library's, else the first of the
/// kernel above the flush.
/// </content>
internal sealed partial class TraceAnalysis
{
    /// <summary>Beginnings of files that only pass a call on: musl and glibc, the loader, what the kernel maps.</summary>
    private static readonly string[] Libraries = ["libc.so", "libc-", "libc.musl", "libpthread", "ld-linux", "ld-2", "ld-musl", "ld.so", "[vdso]", "linux-vdso"];

    /// <summary>Shootdowns whose stack is being read, by CPU.</summary>
    private readonly Dictionary<int, SiteOfStack> _stacks = [];

    private void WantStack(int cpu) => _stacks[cpu] = new SiteOfStack();

    private void AddFrame(in TraceEvent frame)
    {
        HasStacks = true;
        if (frame.A0 == 0 || !_stacks.TryGetValue(frame.Cpu, out SiteOfStack? stack))
        {
            return;
        }

        string symbol = names[(int)frame.A0];
        if (frame.A1 != 0)
        {
            bool isFlush = symbol.Contains("flush", StringComparison.Ordinal) || symbol.Contains("trace", StringComparison.Ordinal);
            stack.Kernel ??= isFlush ? null : symbol;
            return;
        }

        // The first address without a file is most often the library's: it is named together with its caller.
        string file = names[(int)frame.A2];
        bool isLibrary = file.Length == 0 ? stack.Library is null && symbol.StartsWith("0x", StringComparison.Ordinal)
            : Array.Exists(Libraries, start => file.StartsWith(start, StringComparison.Ordinal));
        if (isLibrary)
        {
            stack.Library ??= symbol;
            return;
        }

        _stacks.Remove(frame.Cpu);
        CountSite(stack.Library is null ? symbol : $"{symbol} (via {stack.Library})");
    }

    private void EndStack(int cpu)
    {
        if (_stacks.Count > 0 && _stacks.Remove(cpu, out SiteOfStack? stack) && (stack.Library ?? stack.Kernel) is { } site)
        {
            CountSite(site);
        }
    }

    private void EndStacks()
    {
        foreach (int cpu in _stacks.Keys.ToArray())
        {
            EndStack(cpu);
        }
    }

    private void CountSite(string symbol)
    {
        const int sitesMax = 10_000;
        if (_sites.Count < sitesMax || _sites.ContainsKey(symbol))
        {
            _sites[symbol] = _sites.GetValueOrDefault(symbol) + 1;
        }
    }

    private sealed class SiteOfStack
    {
        /// <summary>The first frame of the kernel above the flush.</summary>
        public string? Kernel { get; set; }

        /// <summary>The first frame of the C library.</summary>
        public string? Library { get; set; }
    }
}
