using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Call sites from the stacks of three tools: who called, not the C library that passed the call on.</summary>
public sealed class CallSiteTests
{
    private const string Kernel = """
        	ffffffff8107b0a4 flush_tlb_mm_range+0x134 ([kernel.kallsyms])
        	ffffffff8128f9b1 tlb_finish_mmu+0x61 ([kernel.kallsyms])

        """;

    [Theory]
    [InlineData("	7f3a1c11d41b __munmap+0xb (/usr/lib/libc.so.6)\n	55d0b0a0117e worker+0x2e (/home/u/my prog (deleted))", "worker (via __munmap)")]
    [InlineData("	55d0b0a0117e Arena::release(std::vector<int, std::allocator<int> >&)+0x2e (/p)", "Arena::release(std::vector<int, std::allocator<int> >&)")]
    [InlineData("	55d0b0a0117e operator new(unsigned long)+0x2e (/p)", "operator new(unsigned long)")]
    [InlineData("	55d0b0a0117e [unknown] (/home/u/prog)", "[unknown] in prog")]
    [InlineData("	7f3a1c11d41b __munmap+0xb (/usr/lib/libc.so.6)", "__munmap")]
    [InlineData("	               0 [unknown] ([unknown])", "tlb_finish_mmu")]
    [InlineData("	7f3a1c11d41b __munmap+0xb (/usr/lib/libc.so.6)\n  munmap.c:12\n	55d0b0a0117e worker+0x2e (/p)\n  w.c:3", "worker (via __munmap)")]
    [InlineData("	7f3a1c11d41b\n	55d0b0a0117e", "0x55d0b0a0117e (via 0x7f3a1c11d41b)")]
    public void Of_perf_script(string frames, string site)
    {
        ReplayReport report = TraceText.Replay(
            $"redis  10/10 [000]  1.000020:  tlb:tlb_flush: pages:2 reason:remote ipi send (4)\n{Kernel}{frames}\n\n"
            + "redis  10/10 [000]  1.000030:  sched:sched_process_exit: comm=redis pid=10 prio=120\n");

        Assert.Equal([new SiteRow(site, 1)], report.Sites);
        Assert.Empty(report.Problems);
    }

    /// <summary>An event of another CPU may stand between an event and its stack.</summary>
    [Fact]
    public void Of_tracefs()
    {
        ReplayReport report = TraceText.Replay("""
            mix-283 [004] ..... 32.283829: tlb_flush: pages:1 reason:remote ipi send (4)
            mix-284 [005] ..... 32.283829: tlb_flush: pages:1 reason:local mm shootdown (3)
            mix-283 [004] ..... 32.283829: <stack trace>
             => trace_event_raw_event_tlb_flush
             => flush_tlb_mm_range
             => tlb_finish_mmu
            mix-283 [004] ..... 32.283829: <user stack trace>
             => /usr/lib/libc.so.6[+0x11d41b]
             => /home/u/mix[+0x117e]
            mix-283 [004] ..... 32.283900: tlb_flush: pages:1 reason:remote ipi send (4)
            mix-283 [004] ..... 32.283901: <stack trace>
             => flush_tlb_mm_range
             => tlb_finish_mmu

            """);

        Assert.Equal([new SiteRow("mix+0x117e (via libc.so.6+0x11d41b)", 1), new SiteRow("tlb_finish_mmu", 1)], report.Sites);
        Assert.DoesNotContain(report.Missing, line => line.StartsWith("no call stacks", StringComparison.Ordinal));
        Assert.Empty(report.Problems);
        Assert.Equal(3, report.Events);
    }

    [Fact]
    public void Of_trace_cmd()
    {
        ReplayReport report = TraceText.Replay("""
            mix-283 [004] 32.283829: tlb_flush: pages:1 reason:remote ipi send (4)
            mix-283 [004] 32.283829: kernel_stack:         <stack trace >
            => flush_tlb_mm_range (ffffffff8107b0a4)
            => tlb_finish_mmu (ffffffff8128f9b1)
            mix-283 [004] 32.283829: user_stack:           <user stack trace>
            =>  <00007f3a1c11d41b>
            =>  <000055d0b0a0117e>

            """);

        Assert.Equal([new SiteRow("0x55d0b0a0117e (via 0x7f3a1c11d41b)", 1)], report.Sites);
        Assert.Empty(report.Problems);
    }
}
