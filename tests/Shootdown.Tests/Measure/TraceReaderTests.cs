using System.IO.Compression;
using System.Text;
using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Every format becomes the same events; what is wrong with a trace is counted and named, never passed over.</summary>
public sealed class TraceReaderTests
{
    private const string Good = "  mix-0-264   [000]  24.000001: tlb_flush:   pages:8 reason:remote ipi send (4)\n";

    [Theory]
    [InlineData("mix2.perf-script.txt", TraceFormat.PerfScript)]
    [InlineData("mix2.tracefs.txt", TraceFormat.Tracefs)]
    [InlineData("mix2.bpftrace.txt", TraceFormat.Bpftrace)]
    [InlineData("stress.strace", TraceFormat.Strace)]
    [InlineData("multi612-mix1-40-1.trace-cmd.txt.gz", TraceFormat.TraceCmd)]
    public void Formats_are_detected_and_read_without_a_problem(string file, TraceFormat format)
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.ReadData(file);

        Assert.Equal(format, reader.Format);
        Assert.NotEmpty(events);
        Assert.Empty(TraceText.Problems(reader));
        Assert.DoesNotContain(events, e => e.Kind is TraceEventKind.None or TraceEventKind.Other);
    }

    /// <summary>The same event as four tools print it, with names that contain what separates columns.</summary>
    [Theory]
    [InlineData("  kworker/0:2-eve  1817/1828  [003]  2665.773323890:   tlb:tlb_flush: pages:33 reason:local mm shootdown (3)", "kworker/0:2-eve", 2665773323890)]
    [InlineData("  a b-c  1828 [003]  2665.773323890:  1 tlb:tlb_flush: pages:33 reason:local mm shootdown (3)", "a b-c", 2665773323890)]
    [InlineData("  .NET TP-1828   [003]  2665.773323: tlb_flush:  pages:33 reason:local mm shootdown (3)", ".NET TP", 2665773323000)]
    [InlineData("  x [1]-1828    [003] d..2.  2665.773323: tlb_flush: pages:33 reason:Local MM shootdown", "x [1]", 2665773323000)]
    [InlineData("  kworker/0:0-1828       (      9) [003] d..2.  2665.773323: tlb_flush: pages:33 reason:local mm shootdown (3)", "kworker/0:0", 2665773323000)]
    [InlineData("  y-1828    ( 1817) [003] d..2.  2665.773323: tlb_flush: pages:33 reason:local mm shootdown (3)", "y", 2665773323000)]
    [InlineData("2665773323890 3 1828 a b tlb_flush reason=3 pages=33", "a b", 2665773323890)]
    public void Columns(string line, string comm, long timeNs)
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read(line + "\n");

        TraceEvent flush = Assert.Single(events);
        Assert.Equal((TraceEventKind.TlbFlush, 3L, 33L), (flush.Kind, flush.A0, flush.A1));
        Assert.Equal((timeNs, 3, 1828, comm), (flush.TimeNs, flush.Cpu, flush.Tid, reader.Names[flush.Comm]));
    }

    [Theory]
    [InlineData("m-1 [0] 1.0: sys_enter_munmap: addr: 0x200000000000, len: 0x00002000")]
    [InlineData("m-1 [0] d.... 1.0: sys_munmap(addr: 0x200000000000, len: 0x2000)")]
    [InlineData("m-1 [0] d.... 1.0: sys_munmap(addr: 200000000000, len: 2000)")]
    [InlineData("m 1/1 [0] 1.0: syscalls:sys_enter_munmap: addr: 0x200000000000, len: 0x00002000")]
    [InlineData("1000000000 0 1 m munmap addr=0x200000000000 len=8192")]
    [InlineData("1 1.000000 munmap(0x200000000000, 8192) = 0 <0.000010>")]
    [InlineData("[pid 1] 1.000000 munmap(0x200000000000, 8192 <unfinished ...>")]
    public void Arguments_of_a_call(string line)
    {
        (IReadOnlyList<TraceEvent> events, _) = TraceText.Read(line + "\n");

        Assert.Equal(
            (TraceEventKind.SyscallEnter, MemoryCall.Munmap, 0x200000000000, 0x2000L, 1_000_000_000L),
            (events[0].Kind, events[0].Call, events[0].A0, events[0].A1, events[0].TimeNs));
    }

    /// <summary>trace-cmd prints a list of CPUs, ftrace a mask of 32 CPUs a group, of which a large machine has several.</summary>
    /// <summary>Tracefs of Linux 6.1 and 6.12 writes hexadecimal numbers without 0x, which may look decimal.</summary>
    [Theory]
    [InlineData("sys_madvise(start: 7f0000000000, len_in: 1000, behavior: 15)", 0x7f0000000000, 0x1000, 21)]
    [InlineData("sys_madvise(start: 0x7f0000000000, len_in: 0x1000, behavior: 0x15)", 0x7f0000000000, 0x1000, 21)]
    [InlineData("sys_mprotect(start: 7f0000000000, len: a00, prot: 3)", 0x7f0000000000, 0xa00, 3)]
    [InlineData("sys_mremap(addr: 7f0000000000, old_len: 10000, new_len: 20000, flags: 3, new_addr: 7e0000000000)", 0x7f0000000000, 0x10000, 0x20000)]
    public void Numbers_of_the_kernels_own_text_are_hexadecimal(string call, long a0, long a1, long a2)
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read($"  m-12      (     12) [000] ...1.  2665.773323: {call}\n");

        Assert.Equal((a0, a1, a2), (events[0].A0, events[0].A1, events[0].A2));
        Assert.Empty(TraceText.Problems(reader));
    }

    [Theory]
    [InlineData("page_fault_user: address=0x7f0000001000 ip=0x401000 error_code=0x6", TraceEventKind.PageFault)]
    [InlineData("page_fault_kernel: address=0x7f0000001000 ip=0xffffffff81000000 error_code=0x2", TraceEventKind.KernelFault)]
    [InlineData("page_fault_kernel: address=0xffffc90000001000 ip=0xffffffff81000000 error_code=0x2", TraceEventKind.Other)]
    public void Faults(string text, TraceEventKind kind)
        => Assert.Equal(kind, Assert.Single(TraceText.Read($"  m-12      (     12) [000] d....  2665.773323: {text}\n").Events).Kind);

    [Theory]
    [InlineData("1", 1)]
    [InlineData("0,2-4", 4)]
    [InlineData("60-70,511", 12)]
    [InlineData("00000000,0000001d", 4)]
    [InlineData("80000000,00000000,00000000,00000001", 2)]
    public void Targets_of_an_interrupt(string cpumask, long targets)
    {
        (IReadOnlyList<TraceEvent> events, _) = TraceText.Read(
            $"  m-1 [000] 1.0: ipi_send_cpumask: cpumask={cpumask} callsite=on_each_cpu_cond_mask+0x24 callback=f+0x0\n");

        Assert.Equal((TraceEventKind.IpiSend, targets), (events[0].Kind, events[0].A0));
    }

    [Fact]
    public void Calls_that_strace_splits_are_joined_and_flags_are_numbers()
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read("""
            7 10.000100 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>
            8 10.000150 madvise(0x7f0000000000, 8192, MADV_DONTNEED) = 0 <0.000020>
            7 10.000200 <... mmap resumed>) = 0x7f1112345000 <0.000100>
            7 10.000300 munmap(0x7f1112345000, 4096) = -1 EINVAL (Invalid argument) <0.000005>
            8 10.000400 +++ exited with 0 +++

            """);

        Assert.Empty(TraceText.Problems(reader));
        Assert.Equal(
            [TraceEventKind.SyscallEnter, TraceEventKind.SyscallEnter, TraceEventKind.SyscallExit, TraceEventKind.SyscallExit],
            events.Take(4).Select(e => e.Kind));
        Assert.Equal((3L, 0x22L, -1L), (events[0].A2, events[0].A3, events[0].A4));
        Assert.Equal(10_000_170_000, events[2].TimeNs);
        Assert.Equal((0x7f1112345000, 10_000_200_000), (events[3].A0, events[3].TimeNs));
        Assert.Equal(-1, events[5].A0);
    }

    /// <summary>Bad lines among good ones: what is said, and that the good ones still count.</summary>
    [Theory]
    [InlineData("CPU:3 [LOST 1234 EVENTS]", "LostEvents 1234 2", 2)]
    [InlineData("CPU:3 [EVENTS DROPPED]", "LostEvents 1 2", 2)]
    [InlineData("#  entries-in-buffer/entries-written: 100/350   #P:8", "OverwrittenEvents 250 2", 2)]
    [InlineData("\u0001\u0002 garbage \u00ff\u00fe", "UnreadableLine 1 2", 2)]
    [InlineData("  mix-0-264   [000]  24.000001: tlb_flush:   reason:remote ipi send (4)", "MissingField 1 2", 2)]
    [InlineData("  mix-0-264   [000]  24.000001: tlb_flush:   pages:8 reason:something new", "MissingField 1 2", 2)]
    [InlineData("  mix-0-264   [000]  24.000001: tlb_flush:   pages:8 reason:something new (9)", "UnknownReason 1 2", 3)]
    [InlineData("  mix-0-264   [000]  23.000001: tlb_flush:   pages:8 reason:remote ipi send (4)", "BackwardTime 1 2", 3)]
    [InlineData("  mix-0-264   [000]  1795217286.0: tlb_flush:   pages:8 reason:remote ipi send (4)", "ClockJump 2 2", 3)]
    [InlineData("  mix-0-264   [000]  24000001: tlb_flush:   pages:8 reason:remote ipi send (4)", "ClockWithoutUnit 1 2", 2)]
    [InlineData("  mix-0-264   [000]  24,000002: tlb_flush:   pages:8 reason:remote ipi send (4)", "DecimalComma 1 2", 3)]
    [InlineData("  mix-0-264   [000]  24.000001: sys_enter_munmap:  addr: zero, len: 1", "MissingField 1 2", 2)]
    [InlineData("  mix-0-264   [90000]  24.000001: tlb_flush:   pages:8 reason:remote ipi send (4)", "MissingField 1 2", 2)]
    public void Bad_lines(string line, string problem, int events)
    {
        (IReadOnlyList<TraceEvent> read, TraceReader reader) = TraceText.Read(Good + line + "\n" + Good.Replace("24.000001", "24.000009", StringComparison.Ordinal));

        Assert.Contains(problem, TraceText.Problems(reader));
        Assert.Equal(events, read.Count);
    }

    [Fact]
    public void A_line_that_never_ends_is_skipped_in_bounded_memory()
    {
        (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read(Good + new string('x', 5_000_000) + "\n" + Good);

        Assert.Equal(2, events.Count);
        Assert.Equal(["LineTooLong 1 2"], TraceText.Problems(reader));
    }

    [Fact]
    public void A_file_that_ends_within_a_line_or_within_its_compression_says_so()
    {
        byte[] whole = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(Good, 3000)));
        Assert.Contains("Truncated 1 3000", TraceText.Problems(TraceText.Read(whole[..^20]).Reader));

        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Compress, leaveOpen: true))
        {
            gzip.Write(whole);
        }

        Assert.Empty(TraceText.Problems(TraceText.Read(packed.ToArray()).Reader));
        Assert.StartsWith("Truncated", Assert.Single(TraceText.Problems(TraceText.Read(packed.ToArray()[..^9]).Reader)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "test: the file is empty")]
    [InlineData("PERFILE2........................", "perf script -i FILE")]
    [InlineData("\u0017\u0008Dtracing6\0\0\0\0", "trace-cmd report -i FILE")]
    [InlineData("Dear reader,\nthis is a letter.\n", "no trace that shootdown knows")]
    public void What_is_no_trace_is_refused_with_what_to_do(string text, string message)
        => Assert.Contains(message, Assert.Throws<TraceFormatException>(() => TraceText.Read(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Any_bytes_are_read_to_the_end_or_refused()
    {
        var random = new Random(5);
        byte[] real = File.ReadAllBytes(TraceText.PathOf("mix2.perf-script.txt"));
        for (int round = 0; round < 200; round++)
        {
            byte[] damaged = [.. real];
            for (int i = 0; i < 40; i++)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            (IReadOnlyList<TraceEvent> events, TraceReader reader) = TraceText.Read(damaged);
            Assert.InRange(events.Count, 10, 200);
            Assert.True(reader.Lines > 0);
        }
    }
}
