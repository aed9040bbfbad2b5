using System.Text;
using System.Text.Json;
using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Tests.Measure;

/// <summary>What a replay says about a trace: each flush at the operation that caused it, waits, who interrupts whom.</summary>
public sealed class ReplayTests
{
    /// <summary>Two CPUs answer a munmap, a third is idle; then a fault copies a page and nobody else runs.</summary>
    private const string Story = """
          a-10 [000] 1.000010: sys_enter_munmap: addr: 0x7f0000000000, len: 0x00002000
          a-10 [000] 1.000020: tlb_flush: pages:2 reason:remote ipi send (4)
          a-10 [000] 1.000021: tlb_flush: pages:2 reason:local mm shootdown (3)
          b-11 [001] 1.000024: call_function_entry: vector=252
          b-11 [001] 1.000025: tlb_flush: pages:2 reason:remote shootdown (1)
          b-11 [001] 1.000029: call_function_exit: vector=252
          c-12 [002] 1.000030: tlb_flush: pages:2 reason:remote shootdown (1)
          a-10 [000] 1.000035: sys_exit_munmap: 0x0
          a-10 [000] 1.000040: page_fault_user: address=0x7f0000010000 ip=0x401000 error_code=0x7
          a-10 [000] 1.000041: tlb_flush: pages:1 reason:remote ipi send (4)
          a-10 [000] 1.000042: tlb_flush: pages:1 reason:local mm shootdown (3)
          a-10 [000] 1.000050: sys_enter_munmap: addr: 0x7f0000020000, len: 0x00100000
          a-10 [000] 1.000055: tlb_flush: pages:-1 reason:local mm shootdown (3)
          a-10 [000] 1.000060: sys_exit_munmap: 0x0

        """;

    [Fact]
    public void Flushes_are_charged_to_operations_threads_and_CPUs()
    {
        ReplayReport report = TraceText.Replay(Story);

        Assert.Equal((3, 2, 2), (report.Recorded!.LocalMm, report.Recorded.SendIpi, report.Recorded.Remote));
        CauseRow munmap = Assert.Single(report.Causes, cause => cause.Cause == "munmap");
        Assert.Equal((2, 1, 1, 0, 2, 10_000), (munmap.Flushes, munmap.Full, munmap.Shootdowns, munmap.Unanswered, munmap.Remote, munmap.WaitNs));
        CauseRow fault = Assert.Single(report.Causes, cause => cause.Cause == "fault (write to present page)");
        Assert.Equal((1, 1, 1, 0), (fault.Flushes, fault.Shootdowns, fault.Unanswered, fault.Remote));
        Assert.Equal([0, 1, 1], report.Heat[0]);
        Assert.Equal(10_000, Assert.Single(report.Threads, thread => thread.Tid == 10).WaitMaxNs);
        Assert.Equal((1, 5_000), report.Threads.Where(thread => thread.Tid == 11).Select(thread => (thread.Received, thread.InterruptedNs)).Single());
    }

    [Fact]
    public void A_selection_counts_what_its_threads_cause_and_nothing_else()
    {
        using TraceReader reader = TraceReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(Story)), "test");
        ReplayReport other = Replayer.Run(reader, "test", new ReplayOptions { Selection = new ReplaySelection(null, "b") });

        Assert.Equal((0, 0, 0), (other.Recorded!.LocalMm, other.Recorded.SendIpi, other.Recorded.Remote));
        Assert.Empty(other.Causes);
    }

    [Fact]
    public void Call_sites_come_from_stacks()
    {
        ReplayReport report = TraceText.Replay("""
            redis  10/10 [000]  1.000020:  tlb:tlb_flush: pages:2 reason:remote ipi send (4)
                    ffffffff8108c2e0 flush_tlb_mm_range+0x1f ([kernel.kallsyms])
                    ffffffff8128c2e0 unmap_region+0x10 ([kernel.kallsyms])
                        7f0000123456 je_arena_purge+0x12 (/usr/lib/libjemalloc.so.2)
                        7f0000123999 main+0x12 (/usr/bin/redis)

            redis  10/10 [000]  1.000030:  sched:sched_process_exit: comm=redis pid=10 prio=120

            """);

        Assert.Equal([new SiteRow("je_arena_purge", 1)], report.Sites);
        Assert.Empty(report.Problems);
    }

    [Fact]
    public void What_strace_cannot_know_is_left_out_and_said()
    {
        using TraceReader reader = TraceReader.Open(TraceText.PathOf("stress.strace"));
        ReplayReport report = Replayer.Run(reader, "stress.strace", new ReplayOptions());
        var text = new StringWriter { NewLine = "\n" };
        ReplayText.Write(report, text);

        Assert.Null(report.Recorded);
        Assert.Null(report.Prediction);
        Assert.NotEmpty(report.Calls);
        Assert.Contains("no CPU numbers: no heat map, no timeline, no prediction", text.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Recorded", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_timeline_is_a_document_with_an_arrow_for_each_interrupt()
    {
        var timeline = new MemoryStream();
        using TraceReader reader = TraceReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(Story)), "test");
        Replayer.Run(reader, "test", new ReplayOptions { TimelineOut = timeline });
        using JsonDocument document = JsonDocument.Parse(timeline.ToArray());
        JsonElement[] events = [.. document.RootElement.GetProperty("traceEvents").EnumerateArray()];

        Assert.Equal([0, 0], events.Where(e => e.GetProperty("ph").GetString() == "s").Select(e => e.GetProperty("tid").GetInt32()));
        Assert.Equal([1, 2], events.Where(e => e.GetProperty("ph").GetString() == "f").Select(e => e.GetProperty("tid").GetInt32()));
    }

    [Fact]
    public void The_page_needs_nothing_else_and_shows_names_as_text()
    {
        var page = new StringWriter();
        ReplayHtml.Write(TraceText.Replay(Story.Replace("a-10", "<b>&-10", StringComparison.Ordinal)), page);

        Assert.Contains("&lt;b&gt;&amp;-10", page.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("<b>", page.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("src=", page.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("href=", page.ToString(), StringComparison.Ordinal);
        Assert.Equal(3, page.ToString().Split("<svg").Length - 1);
    }

    /// <summary>Lines fit into 100 columns, whatever threads are called.</summary>
    [Theory]
    [InlineData("mix2.perf-script.txt")]
    [InlineData("mix2.tracefs.txt")]
    [InlineData("stress.strace")]
    [InlineData("mix2.bpftrace.txt")]
    [InlineData("multi61-mix2-40-1.trace-cmd.txt.gz")]
    public void Text_fits(string file)
    {
        using TraceReader reader = TraceReader.Open(TraceText.PathOf(file));
        var text = new StringWriter { NewLine = "\n" };
        ReplayText.Write(Replayer.Run(reader, file, new ReplayOptions()), text);
        Assert.All(text.ToString().Split('\n'), line => Assert.True(line.Length <= 100 && line == line.TrimEnd(), line));
    }
}
