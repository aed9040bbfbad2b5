using System.Text;
using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Recording, on a folder of plain files in tracefs's place: what is switched on, what is written, that nothing stays.</summary>
public sealed class RecorderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("shootdown-tracefs-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_recording_is_a_trace_that_names_its_kernel_its_losses_and_its_interrupts()
    {
        var files = new FakeTracefs(_root);
        long interrupts = 100;
        var output = new MemoryStream();
        RecordResult result;
        using (var recorder = new TraceRecorder(new RecordOptions(files, 4096, "6.1.0", "service", default, () => [], () => interrupts += 7)))
        {
            Assert.Equal("4096", files.Setting("buffer_size_kb"));
            Assert.Equal("mono", files.Setting("trace_clock"));
            Assert.Equal("1", files.Setting("events/tlb/tlb_flush/enable"));
            Assert.Equal("1", files.Setting("events/syscalls/sys_exit_fsync/enable"));
            Assert.Equal(("0", "1"), (files.Setting("options/latency-format"), files.Setting("options/context-info")));
            recorder.Start(output);
            Assert.Equal("1", files.Setting("tracing_on"));
            int polls = 0;
            result = recorder.Run(output, () => polls++ > 0, default);
            Assert.Equal("0", files.Setting("tracing_on"));
        }

        Assert.Equal((12, 7), (result.Lost, result.TlbInterrupts));
        Assert.Contains("syscalls:sys_enter_mremap", result.Missing);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_root, "instances")));

        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read(output.ToArray());
        Assert.Equal(TraceFormat.Recording, reader.Format);
        Assert.Equal(("6.1.0", 2, 7L), (reader.KernelVersion, reader.Cpus, reader.TlbInterrupts));
        Assert.Equal(TraceEventKind.TlbFlush, Assert.Single(events).Kind);
        Assert.Equal(["LostEvents 12 4"], TraceText.Problems(reader));
    }

    /// <summary>A command that inherited it would keep the instance from being removed for as long as it lives.</summary>
    [Fact]
    public void The_pipe_is_not_inherited()
    {
        const int closeOnExec = 0x80000;
        string file = Path.Combine(_root, "trace_pipe");
        File.WriteAllText(file, "");
        using var pipe = new TracePipe(file);
        string handle = Assert.Single(Directory.EnumerateFileSystemEntries("/proc/self/fd"), entry => File.ResolveLinkTarget(entry, false)?.FullName == file);
        string flags = File.ReadLines($"/proc/self/fdinfo/{Path.GetFileName(handle)}").Single(line => line.StartsWith("flags:", StringComparison.Ordinal));
        Assert.Equal(closeOnExec, Convert.ToInt32(flags["flags:".Length..].Trim(), 8) & closeOnExec);
    }

    [Fact]
    public void Nothing_stays_when_the_kernel_refuses_or_the_caller_fails()
    {
        var files = new FakeTracefs(_root) { HasFlushEvent = false };
        Assert.Throws<IOException>(() => new TraceRecorder(new RecordOptions(files, 64, "6.1", "all", default, () => [], () => null)));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_root, "instances")));
    }

    [Fact]
    public void Ctrl_C_ends_a_recording_like_its_time_does()
    {
        using var interruption = new CancellationTokenSource();
        interruption.Cancel();
        var output = new MemoryStream();
        using (var recorder = new TraceRecorder(new RecordOptions(new FakeTracefs(_root), 64, "6.12", "all", default, () => [], () => null)))
        {
            recorder.Start(output);
            recorder.Run(output, () => false, interruption.Token);
        }

        Assert.EndsWith("# shootdown end lost=12\n", Encoding.UTF8.GetString(output.ToArray()), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_root, "instances")));
    }

    [Fact]
    public void The_instance_of_a_recorder_that_was_killed_is_removed_and_those_of_others_stay()
    {
        Directory.CreateDirectory(Path.Combine(_root, "instances/shootdown-999999999"));
        Directory.CreateDirectory(Path.Combine(_root, "instances/someone-else"));
        new TraceRecorder(new RecordOptions(new FakeTracefs(_root), 64, "6.12", "all", default, () => [], () => null)).Dispose();

        Assert.Equal(["someone-else"], Directory.EnumerateDirectories(Path.Combine(_root, "instances")).Select(Path.GetFileName));
    }

    /// <summary>The id of the recorder that was killed is another program's now: process 1 is no recorder.</summary>
    [Fact]
    public void The_instance_of_a_recorder_whose_id_another_program_has_is_removed()
    {
        Directory.CreateDirectory(Path.Combine(_root, "instances/shootdown-1"));
        new TraceRecorder(new RecordOptions(new FakeTracefs(_root), 64, "6.12", "all", default, () => [], () => null)).Dispose();

        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(_root, "instances")));
    }

    /// <summary>Somebody still has a shell in it: it cannot be removed now, which is no reason not to record, but it records no more.</summary>
    [Fact]
    public void A_left_over_that_is_in_use_is_stopped_and_does_not_stop_the_next_recorder()
    {
        string instance = Path.Combine(_root, "instances/shootdown-999999999");
        Directory.CreateDirectory(instance);
        File.WriteAllText(Path.Combine(instance, "tracing_on"), "1");
        new TraceRecorder(new RecordOptions(new BusyTracefs(_root), 64, "6.12", "all", default, () => [], () => null)).Dispose();

        Assert.Equal("0", File.ReadAllText(Path.Combine(instance, "tracing_on")));
        Assert.Equal(["shootdown-999999999"], Directory.EnumerateDirectories(Path.Combine(_root, "instances")).Select(Path.GetFileName));
    }

    private sealed class BusyTracefs(string root) : FakeTracefs(root)
    {
        public override void RemoveInstance(string path)
        {
            if (path.EndsWith("999999999", StringComparison.Ordinal))
            {
                throw new IOException("Device or resource busy");
            }

            base.RemoveInstance(path);
        }
    }
}
