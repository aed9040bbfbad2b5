using System.IO.Compression;
using System.Text;
using Shootdown.Measure;
using Shootdown.Report;
using Shootdown.Tests.Cli;

namespace Shootdown.Tests.Measure;

/// <summary>What tools print with other options, around the events, and when they lose some.</summary>
public sealed class TraceToolsTests
{
    private const string Flush = "  a-10 [000] 1.000001: tlb_flush: pages:1 reason:local mm shootdown (3)\n";
    private const string PerfFlush = "  a 10/10 [000] 1.000001: tlb:tlb_flush: pages:1 reason:local MM shootdown (3)\n";

    [Theory]
    [InlineData("# shootdown kernel=6.12 cpus=1\n" + Flush + "CPU:3 [LOST 123 EVENTS]\n# shootdown end lost=123\n", "LostEvents 123 3")]
    [InlineData("# shootdown kernel=6.12 cpus=1\n" + Flush + "CPU:3 [LOST 100 EVENTS]\n# shootdown end lost=123\n", "LostEvents 123 3")]
    [InlineData(PerfFlush + "perf-exec 31120/31120 [000] 13813.1: PERF_RECORD_LOST lost 69\n", "LostEvents 69 2")]
    [InlineData(PerfFlush + "perf-exec 31120/31120 [000] 13813.1: PERF_RECORD_LOST_SAMPLES lost 7\n", "LostEvents 7 2")]
    public void Lost_events_are_counted_once(string text, string problem) => Assert.Equal([problem], TraceText.Problems(TraceText.Read(text).Reader));

    [Fact]
    public void Records_of_perf_itself_are_no_events()
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read(PerfFlush + "a 10/10 [000] 1.000002: PERF_RECORD_COMM: a:10/10\n");
        Assert.Single(events);
        Assert.Empty(reader.Problems.All);
    }

    [Theory]
    [InlineData("# os release : 6.18.44\n# nrcpus online : 8\n", "6.18.44", 8, "6.18")]
    [InlineData("# os release : 6.1.0-37-amd64\n", "6.1.0-37-amd64", 0, "6.1")]
    public void The_head_of_perf_script_names_the_kernel(string head, string version, int cpus, string profile)
    {
        TraceReader reader = TraceText.Read(head + PerfFlush).Reader;
        Assert.Equal((version, cpus, profile), (reader.KernelVersion, reader.Cpus, TimedProfile.For(reader.KernelVersion).Name));
    }

    [Fact]
    public void A_reason_of_later_kernels_asks_for_the_kernel()
    {
        string text = PerfFlush.Replace("local MM shootdown (3)", "remote wrong CPU (5)", StringComparison.Ordinal);
        Assert.Contains(TraceText.Replay(text).Missing, line => line.Contains("give --kernel 6.18", StringComparison.Ordinal));
        Assert.DoesNotContain(TraceText.Replay(text, TimedProfile.Linux618).Missing, line => line.Contains("give --kernel", StringComparison.Ordinal));
        Assert.DoesNotContain(TraceText.Replay("# os release : 6.18.1\n" + text).Missing, line => line.Contains("give --kernel", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_switches_nothing_is_said_of_them()
    {
        using TraceReader reader = TraceReader.Open(TraceText.PathOf("mix2.bpftrace.txt"));
        string text = Text(Replayer.Run(reader, "t", new ReplayOptions()));
        Assert.DoesNotContain("context switches", text, StringComparison.Ordinal);
        Assert.DoesNotContain("all the others were lazy", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Calls_that_flush_and_have_no_form_are_named()
    {
        ReplayReport report = TraceText.Replay("""
             a 10/10 [000] 1.000001: exceptions:page_fault_user: address=0x7f0000000000 ip=0x401000 error_code=0x6
             a 10/10 [000] 1.000002: syscalls:sys_enter_process_madvise: pidfd: 0x3, vec: 0x1, vlen: 0x1, behavior: 0x4, flags: 0x0
             a 10/10 [000] 1.000003: tlb:tlb_flush: pages:1 reason:local MM shootdown (3)
             a 10/10 [000] 1.000004: syscalls:sys_exit_process_madvise: 0x1000
             a 10/10 [000] 1.000005: syscalls:sys_enter_ftruncate: fd: 0x3, length: 0x0
             a 10/10 [000] 1.000006: syscalls:sys_exit_ftruncate: 0x0
             a 10/10 [000] 1.000007: sched:sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120

            """);

        Assert.Equal("process_madvise(DONTNEED)", Assert.Single(report.Causes).Cause);
        Assert.Equal(["ftruncate", "process_madvise(DONTNEED)"], report.Prediction!.NotModelled.Keys.Order());
    }

    [Theory]
    [InlineData("perf [000] 1.000001: tlb:tlb_flush: pages:0 reason:flush on task switch (0)\n", "without names or numbers of threads")]
    [InlineData("mix-0 [000] 1.000001: tlb:tlb_flush: pages:0 reason:flush on task switch (0)\n", "without the thread's number: use -F comm,pid,tid,cpu")]
    [InlineData("perf 10/10 1.000001: tlb:tlb_flush: pages:0 reason:flush on task switch (0)\n", "perf script's text without CPUs")]
    [InlineData("perf 10/10 [000] +0.000001: tlb:tlb_flush: pages:0 reason:flush on task switch (0)\n", "print it without --deltatime")]
    [InlineData("perf 10/10 [000] 1.000001: pages:0 reason:flush on task switch (0)\n", "without the events' names")]
    [InlineData("mix-283   4d..2 32280398us : page_fault_user: address=0x7f96\n", "latency format")]
    [InlineData("mix-283   4d..2 32.280398: page_fault_user: address=0x7f96\n", "latency format")]
    [InlineData("1257  brk(NULL)    = 0x562090ef3000\n", "record with strace -f -ttt -T")]
    [InlineData("[pid  1257] munmap(0x7f0000000000, 4096 <unfinished ...>\n", "record with strace -f -ttt -T")]
    [InlineData("mix-283 [004] 32280398: page_fault_user: address=0x7f96\n", "set trace_clock to mono and record again")]
    public void What_a_text_lacks_is_said_and_how_to_get_it(string line, string message)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, line + line);
            (int code, string output, string error) = CommandRun.Of("replay", file);
            Assert.Equal((3, ""), (code, output));
            Assert.Contains(message, error, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_byte_order_mark_hides_no_line()
        => Assert.Equal((8, 0), TraceText.Read([0xef, 0xbb, 0xbf, .. Encoding.UTF8.GetBytes("cpus=8\n" + Flush)]) is var (_, reader)
            ? (reader.Cpus, reader.Problems.All.Count) : default);

    [Fact]
    public void Joined_gzip_files_are_whole_and_a_cut_one_is_not()
    {
        byte[] first = Packed(Flush);
        byte[] both = [.. first, .. Packed(Flush + Flush), .. first];

        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read(both);
        Assert.Equal(4, events.Count);
        Assert.Empty(reader.Problems.All);
        Assert.Equal(["Truncated 1 4"], TraceText.Problems(TraceText.Read(both[..^6]).Reader));
    }

    private static byte[] Packed(string text)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        return packed.ToArray();
    }

    private static string Text(ReplayReport report)
    {
        var text = new StringWriter { NewLine = "\n" };
        ReplayText.Write(report, text);
        return text.ToString();
    }
}
