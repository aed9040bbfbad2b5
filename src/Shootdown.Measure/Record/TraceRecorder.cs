using System.Globalization;
using System.Text;

namespace Shootdown.Measure;

/// <summary>How to record.</summary>
/// <param name="Files">Tracefs.</param>
/// <param name="BufferKb">Ring of each CPU.</param>
/// <param name="Kernel">Version of the kernel, for the file's head.</param>
/// <param name="Target">What is recorded, for the file's head.</param>
/// <param name="Settings">Settings of the machine, for the file's head.</param>
/// <param name="ReadTasks">Where threads are, for the file's head.</param>
/// <param name="ReadInterrupts">Row TLB of /proc/interrupts, all CPUs; null if there is none.</param>
public sealed record RecordOptions(TracefsFiles Files, int BufferKb, string Kernel, string Target, RecordedSystem Settings,
    Func<IReadOnlyList<RecordedTask>> ReadTasks, Func<long?> ReadInterrupts);

/// <summary>What a recording came to.</summary>
/// <param name="Bytes">Text before compression.</param>
/// <param name="Lost">Events that the kernel dropped.</param>
/// <param name="TlbInterrupts">TLB interrupts in that time, as the kernel counts them; null if it does not.</param>
/// <param name="Missing">Events that this kernel does not have.</param>
public sealed record RecordResult(long Bytes, long Lost, long? TlbInterrupts, IReadOnlyList<string> Missing);

/// <summary>
/// Records in a tracefs instance of its own, so that nothing has to be restored but the instance: it is removed in the end
/// whatever happens. The file is the text of trace_pipe between lines that start with <c># shootdown</c>.
/// </summary>
public sealed class TraceRecorder : IDisposable
{
    /// <summary>Events that are recorded; those that a kernel lacks are left out and named.</summary>
    public static readonly IReadOnlyList<string> Events =
    [
        "tlb/tlb_flush", "sched/sched_switch", "sched/sched_process_fork", "sched/sched_process_exit", "exceptions/page_fault_user", "exceptions/page_fault_kernel",
        "ipi/ipi_send_cpu", "ipi/ipi_send_cpumask",
        .. Both("irq_vectors/call_function_", "entry", "exit"), .. Both("irq_vectors/call_function_single_", "entry", "exit"),
        .. Calls("enter", "clone", "clone3", "fork", "vfork", "exit", "exit_group"),
        .. Calls("enter", BothSides), .. Calls("exit", BothSides),
    ];

    /// <summary>Calls whose result counts, and those that flush and have no form in the kernel library.</summary>
    private static string[] BothSides =>
    [
        "mmap", "munmap", "madvise", "mprotect", "mremap", "brk", "execve", "pkey_mprotect", .. MemoryCalls.NotModelled,
    ];

    /// <summary>Options that change the text, with the value that replay reads; an instance inherits what somebody has set.</summary>
    private static readonly (string Name, string Value)[] TextOptions =
    [
        ("raw", "0"), ("hex", "0"), ("bin", "0"), ("fields", "0"), ("verbose", "0"), ("latency-format", "0"), ("stacktrace", "0"),
        ("userstacktrace", "0"), ("context-info", "1"), ("irq-info", "1"), ("annotate", "0"), ("record-cmd", "1"), ("record-tgid", "1"), ("print-tgid", "1"),
    ];

    private const string Prefix = "shootdown-";
    private readonly RecordOptions _options;
    private readonly string _instance;
    private readonly List<string> _missing = [];
    private readonly byte[] _buffer = new byte[1 << 16];
    private TracePipe? _pipe;
    private long? _interruptsBefore;
    private bool _isRemoved;

    /// <summary>Makes the instance, sizes its rings and enables events; nothing is recorded yet.</summary>
    /// <exception cref="IOException">Tracefs refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not.</exception>
    public TraceRecorder(RecordOptions options)
    {
        _options = options;
        _instance = $"instances/{Prefix}{Environment.ProcessId}";
        RemoveLeftOvers();
        options.Files.CreateInstance(_instance);
        try
        {
            Write("tracing_on", "0");
            SizeRings();
            Write("trace_clock", "mono");
            foreach ((string name, string value) in TextOptions)
            {
                WriteIfThere($"options/{name}", value);
            }

            EnableEvents();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Starts recording and writes the file's head.</summary>
    public void Start(Stream file)
    {
        int cpus = _options.Files.List($"{_instance}/per_cpu").Count;
        WriteText(file, $"# shootdown recording 1\n# shootdown kernel={_options.Kernel} cpus={cpus}{_options.Settings} target={_options.Target}\n");
        _pipe = _options.Files.OpenPipe($"{_instance}/trace_pipe");
        IReadOnlyList<RecordedTask> tasks = _options.ReadTasks();
        foreach (int pid in tasks.Select(task => task.Pid).Distinct())
        {
            WriteText(file, string.Concat(ProcessMaps.Read(pid).Select(area => $"# shootdown {area}\n")));
        }

        WriteText(file, string.Concat(tasks.Select(task => $"# shootdown {task}\n")));

        _interruptsBefore = _options.ReadInterrupts();
        Write("tracing_on", "1");
    }

    /// <summary>Copies what the rings hold, no longer than <paramref name="isOver"/> allows: they may fill as fast as they are read.</summary>
    private long Drain(Stream file, Func<bool> isOver)
    {
        long bytes = 0;
        for (int count = _pipe!.Read(_buffer); count > 0; count = isOver() ? 0 : _pipe.Read(_buffer))
        {
            file.Write(_buffer, 0, count);
            bytes += count;
        }

        return bytes;
    }

    /// <summary>
    /// Records until <paramref name="isOver"/> says so or somebody interrupts, then stops, copies the rest and writes the foot.
    /// </summary>
    public RecordResult Run(Stream file, Func<bool> isOver, CancellationToken interrupted)
    {
        const int pauseMs = 20;
        long bytes = 0;
        TracePipe.PreferOwnThread();
        while (!IsOver())
        {
            long now = Drain(file, IsOver);
            bytes += now;
            if (now == 0)
            {
                interrupted.WaitHandle.WaitOne(pauseMs);
            }
        }

        Write("tracing_on", "0");
        long? interrupts = _options.ReadInterrupts() - _interruptsBefore;
        bytes += Drain(file, () => false);
        long lost = Lost();
        string counted = interrupts is { } count ? $" tlb_interrupts={count}" : "";
        WriteText(file, $"# shootdown end lost={lost}{counted}\n");
        return new RecordResult(bytes, lost, interrupts, _missing);

        bool IsOver() => isOver() || interrupted.IsCancellationRequested;
    }

    /// <summary>Stops and removes the instance.</summary>
    public void Dispose()
    {
        if (_isRemoved)
        {
            return;
        }

        _isRemoved = true;
        _pipe?.Dispose();
        try
        {
            Write("tracing_on", "0");
        }
        catch (IOException)
        {
            // The instance is removed below, which stops it too.
        }

        _options.Files.RemoveInstance(_instance);
    }

    private void SizeRings()
    {
        try
        {
            Write("buffer_size_kb", _options.BufferKb.ToString(CultureInfo.InvariantCulture));
        }
        catch (IOException exception)
        {
            int cpus = _options.Files.List($"{_instance}/per_cpu").Count;
            throw new IOException($"no ring of {_options.BufferKb} kB for each of {cpus} CPUs ({exception.Message}); give a smaller --buffer", exception);
        }
    }

    private static IEnumerable<string> Both(string start, params string[] ends) => ends.Select(end => start + end);

    private static IEnumerable<string> Calls(string side, params string[] names) => names.Select(name => $"syscalls/sys_{side}_{name}");

    private static void WriteText(Stream file, string text) => file.Write(Encoding.UTF8.GetBytes(text));

    private void Write(string path, string text) => _options.Files.Write($"{_instance}/{path}", text);

    private void WriteIfThere(string path, string value)
    {
        if (_options.Files.Exists($"{_instance}/{path}"))
        {
            Write(path, value);
        }
    }

    private void EnableEvents()
    {
        foreach (string name in Events)
        {
            if (_options.Files.Exists($"{_instance}/events/{name}/enable"))
            {
                Write($"events/{name}/enable", "1");
            }
            else
            {
                _missing.Add(name.Replace('/', ':'));
            }
        }

        if (_missing.Contains("tlb:tlb_flush"))
        {
            throw new IOException("this kernel has no event tlb:tlb_flush");
        }
    }

    /// <summary>Events that the rings dropped: the rows "overrun" and "dropped events" of each CPU.</summary>
    private long Lost()
    {
        long lost = 0;
        foreach (string cpu in _options.Files.List($"{_instance}/per_cpu"))
        {
            string path = $"{_instance}/per_cpu/{cpu}/stats";
            if (!_options.Files.Exists(path))
            {
                continue;
            }

            foreach (string line in _options.Files.Read(path).Split('\n'))
            {
                string[] words = line.Split(':', StringSplitOptions.TrimEntries);
                bool isLoss = words.Length == 2 && words[0] is "overrun" or "dropped events";
                lost += isLoss && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long count) ? count : 0;
            }
        }

        return lost;
    }

    /// <summary>Stops and removes an instance; one that somebody still reads stays, stopped, and is no reason not to record.</summary>
    private void RemoveLeftOver(string instance)
    {
        try
        {
            if (_options.Files.Exists($"{instance}/tracing_on"))
            {
                _options.Files.Write($"{instance}/tracing_on", "0");
            }

            _options.Files.RemoveInstance(instance);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException && instance != _instance)
        {
            // The next recorder tries again.
        }
    }

    /// <summary>True if a process with this id lives and is no other program that got the id of a recorder.</summary>
    private static bool IsRecorder(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Contains("shootdown", StringComparison.OrdinalIgnoreCase);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    /// <summary>Instances of recorders that were killed: their process is gone.</summary>
    private void RemoveLeftOvers()
    {
        foreach (string name in _options.Files.List("instances").Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            bool isNumber = int.TryParse(name[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int pid);
            if (isNumber && (pid == Environment.ProcessId || !IsRecorder(pid)))
            {
                RemoveLeftOver($"instances/{name}");
            }
        }
    }
}
