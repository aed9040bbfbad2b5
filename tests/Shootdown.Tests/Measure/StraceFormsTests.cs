using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Tests.Measure;

/// <summary>What strace prints with the options that people give it.</summary>
public sealed class StraceFormsTests
{
    [Theory]
    [InlineData("12  1795324061.101218 ", 12, "")]
    [InlineData("[pid    12] 1795324061.101218 ", 12, "")]
    [InlineData("12<my thread> 1795324061.101218 ", 12, "my thread")]
    [InlineData("[pid 12<my thread>] 1795324061.101218 ", 12, "my thread")]
    [InlineData("12  1795324061.101218 [00007f463fc11ad7] ", 12, "")]
    [InlineData("12  1795324061.101218 [  11] ", 12, "")]
    [InlineData("12  1795324061.101218 [  11] [????????????????] ", 12, "")]
    [InlineData("12  05:07:41 ", 12, "")]
    [InlineData("12  05:07:41.235084 ", 12, "")]
    [InlineData("12  05:07:41.235084 (+     0.000195) ", 12, "")]
    [InlineData("1795324061.101218 ", 0, "")]
    public void Columns_before_a_call(string columns, int tid, string comm)
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read(columns + "munmap(0x7f0000000000, 4096)    = 0\n");

        Assert.Equal(2, events.Count);
        Assert.Equal((MemoryCall.Munmap, tid, comm), (events[0].Call, events[0].Tid, reader.Names[events[0].Comm]));
        Assert.Empty(reader.Problems.All);
    }

    [Fact]
    public void Times_since_the_line_before_are_added_up()
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read("""
            1248       0.000000 brk(NULL)           = 0x55b3a8da2000
            1248       0.000195 brk(NULL)           = 0x55b3a8da2000
            1249       0.000079 munmap(0x7f0000000000, 4096) = 0

            """);

        Assert.Equal([0, 0, 195_000, 195_000, 274_000, 274_000], events.Select(e => e.TimeNs));
        Assert.Empty(reader.Problems.All);
    }

    [Fact]
    public void Frames_and_comments_are_passed_over()
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read("""
            1302  1795324061.5 mmap(NULL, 8192, 0x3 /* PROT_READ|PROT_WRITE */, 0x22 /* MAP_PRIVATE|MAP_ANONYMOUS */, -1, 0) = 0x7f4272500000 <0.000010>
             > /usr/lib/ld-linux-x86-64.so.2(_dl_catch_error+0x26f0) [0x1ab70]

            """);

        Assert.Equal((8192L, 3L, 0x22L, -1L), (events[0].A1, events[0].A2, events[0].A3, events[0].A4));
        Assert.Empty(reader.Problems.All);
    }

    [Theory]
    [InlineData("12 1.5 process_madvise(3, [{iov_base=0x7f00, iov_len=4096}], 1, MADV_COLD, 0) = 4096 <0.000010>", "process_madvise(COLD)", true)]
    [InlineData("12 1.5 munmap(0x7f0000000000, 4096) = 0", "munmap", false)]
    public void Times_in_calls_are_left_out_where_the_trace_has_none(string line, string call, bool hasTimes)
    {
        ReplayReport report = TraceText.Replay(
            line + "\n12 1.6 munmap(0x7f0000000000, 4096 <unfinished ...>\n13 1.7 getpid() = 13\n12 1.8 <... munmap resumed>) = 0\n");
        var text = new StringWriter { NewLine = "\n" };
        ReplayText.Write(report, text);

        Assert.Contains(report.Calls, row => row.Call == call);
        Assert.Equal(hasTimes, text.ToString().Contains("time in calls\n", StringComparison.Ordinal) && report.Calls.Any(row => row.TimeNs > 0));
        Assert.Equal(!hasTimes, report.Missing.Contains("no durations of calls (strace -T): no time in calls"));
    }
}
