using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Records a trace for <c>replay</c>.</summary>
internal sealed class RecordCommand(CliHost host, RecordRequest request)
{
    /// <summary>Runs it and returns the exit code.</summary>
    public int Run()
    {
        TracefsFiles? files;
        try
        {
            files = host.Tracefs();
        }
        catch (UnauthorizedAccessException)
        {
            files = null;
        }

        if (files is null)
        {
            return Refuse(Environment.IsPrivilegedProcess
                ? "tracefs is not mounted (mount -t tracefs nodev /sys/kernel/tracing), or this kernel has no tlb:tlb_flush event"
                : "recording needs root: sudo ./shootdown record ...");
        }

        if (request.Pid is { } pid && !Directory.Exists($"/proc/{pid}"))
        {
            throw new UsageException($"--pid {pid}: there is no such process");
        }

        try
        {
            return Record(files);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Refuse($"{files.Root}: {exception.Message}");
        }
    }

    private int Record(TracefsFiles files)
    {
        bool isNew = !File.Exists(request.File);
        using FileStream output = Open();
        using var interruption = new CancellationTokenSource();
        using IDisposable? listening = host.OnInterrupt(interruption.Cancel);
        using PosixSignalRegistration terminated = EndOn(PosixSignal.SIGTERM, interruption);
        using PosixSignalRegistration hungUp = EndOn(PosixSignal.SIGHUP, interruption);
        string target = request.Command.Count > 0 ? Path.GetFileName(request.Command[0]) : request.Pid?.ToString(CultureInfo.InvariantCulture) ?? "all";
        var options = new RecordOptions(files, request.BufferKb, Environment.OSVersion.Version.ToString(), target, RecordedSystem.OfThisMachine(), RunningTasks.Read,
            TlbInterrupts);
        RecordResult result;
        Process? child = null;
        try
        {
            using var recorder = new TraceRecorder(options);
            using var head = new MemoryStream();
            recorder.Start(head);
            child = StartCommand();

            // From here on there is something to record: what an older recording left in the file goes.
            if (output.CanSeek)
            {
                output.SetLength(0);
            }

            using var packed = new GZipStream(new OutputStream(output, $"--out '{request.File}'"), CompressionLevel.Fastest, leaveOpen: true);
            head.WriteTo(packed);
            var clock = Stopwatch.StartNew();
            result = recorder.Run(
                packed, () => child is { HasExited: true } || (request.Duration is { } limit && clock.Elapsed >= limit), interruption.Token);
        }
        catch when (isNew && output is { CanSeek: true, Length: 0 })
        {
            File.Delete(request.File);
            throw;
        }

        string status = child is { HasExited: true } ? $"; {request.Command[0]} ended with {child.ExitCode}"
            : child is not null ? $"; {request.Command[0]} runs on" : "";
        host.Error.WriteLine($"{request.File}: {Quantity.Bytes(output.Length)} ({Quantity.Bytes(result.Bytes)} of text){status}");
        if (result.Lost > 0)
        {
            host.Error.WriteLine($"{Quantity.Count(result.Lost, "event")} lost: record again with a larger --buffer");
        }

        if (result.Missing.Count > 0)
        {
            host.Error.WriteLine($"this kernel lacks: {string.Join(", ", result.Missing)}");
        }

        string selection = child is not null ? $" --comm {target[..Math.Min(15, target.Length)]}" : request.Pid is { } pid ? $" --pid {pid}" : "";
        host.Error.WriteLine($"next: ./shootdown replay {request.File}{selection}");
        return ExitCode.Pass;
    }

    /// <summary>A signal that would end the process ends the recording instead, so that the instance is removed.</summary>
    private static PosixSignalRegistration EndOn(PosixSignal signal, CancellationTokenSource interruption)
        => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            interruption.Cancel();
        });

    private Process? StartCommand()
    {
        if (request.Command.Count == 0)
        {
            return null;
        }

        try
        {
            return Process.Start(new ProcessStartInfo(request.Command[0], request.Command.Skip(1)) { UseShellExecute = false });
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new UsageException($"'{request.Command[0]}' cannot be started: {exception.Message}");
        }
    }

    /// <summary>Opens the file and leaves what is in it for now.</summary>
    private FileStream Open()
    {
        try
        {
            return new FileStream(request.File, FileMode.OpenOrCreate, FileAccess.Write);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--out '{request.File}': cannot be written: {exception.Message}");
        }
    }

    private int Refuse(string reason)
    {
        host.Error.WriteLine($"shootdown: cannot record: {reason}");
        host.Error.WriteLine("  With perf the same can be recorded like this, and replay reads it:");
        host.Error.WriteLine($"    sudo perf record -a -m 4096 -o shootdown.data {PerfEvents} -- {PerfTarget()}");
        host.Error.WriteLine("    sudo perf script -i shootdown.data -F comm,pid,tid,cpu,time,event,trace --ns | gzip > trace.txt.gz");
        return ExitCode.Unsupported;
    }

    private const string PerfEvents = "-e tlb:tlb_flush -e 'sched:sched_switch,sched:sched_process_*' -e 'exceptions:page_fault_*' -e 'ipi:ipi_send_cpu*' "
        + "-e 'irq_vectors:call_function*' -e 'syscalls:sys_*_mmap,syscalls:sys_*_munmap,syscalls:sys_*_madvise,syscalls:sys_*_mprotect,"
        + "syscalls:sys_*_mremap,syscalls:sys_*_brk,syscalls:sys_enter_clone*,syscalls:sys_enter_*fork,syscalls:sys_*_execve,syscalls:sys_*_fsync,"
        + "syscalls:sys_*_msync,syscalls:sys_*_move_pages,syscalls:sys_*_process_madvise'";

    private string PerfTarget()
        => request.Command.Count > 0 ? string.Join(' ', request.Command.Select(Report.CheckInvocation.Quoted))
            : string.Create(CultureInfo.InvariantCulture, $"sleep {request.Duration!.Value.TotalSeconds:0.###}");

    /// <summary>All CPUs' numbers of the row TLB.</summary>
    private static long? TlbInterrupts()
    {
        const string file = "/proc/interrupts";
        string? row = File.Exists(file)
            ? File.ReadLines(file).FirstOrDefault(line => line.TrimStart().StartsWith("TLB:", StringComparison.Ordinal)) : null;
        return row?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).TakeWhile(word => word.All(char.IsAsciiDigit))
            .Sum(word => long.Parse(word, CultureInfo.InvariantCulture));
    }
}
