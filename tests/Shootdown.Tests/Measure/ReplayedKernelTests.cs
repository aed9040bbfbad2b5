using System.Globalization;

namespace Shootdown.Tests.Measure;

/// <summary>
/// What the kernel library does for small traced programs: operation by operation what Linux 6.1 and 6.12 logged for the same
/// operation. CPU 1 runs another thread of the process, or is idle after running it.
/// </summary>
public sealed class ReplayedKernelTests
{
    private const long Base = 0x200000000000;

    [Theory]
    [InlineData("munmap 1", "1 local send remote1 irq1", "1 local send remote0 irq1")]
    [InlineData("munmap 33", "33 local send remote1 irq1", "33 local send remote0 irq1")]
    [InlineData("munmap 34", "-1 local send remote1 irq1", "-1 local send remote0 irq1")]
    [InlineData("munmap 0", "", "")]
    [InlineData("dontneed 8", "8 local send remote1 irq1", "8 local send remote0 irq0")]
    [InlineData("free 8", "8 local send remote1 irq1", "8 local send remote0 irq0")]
    [InlineData("readonly 8", "8 local send remote1 irq1", "8 local send remote0 irq0")]
    [InlineData("readonly 0", "", "")]
    [InlineData("mremap 8", "8 local send remote1 irq1; 0 local send remote1 irq1", "8 local send remote0 irq1; 0 local remote0 irq0")]
    [InlineData("mremap 512", "-1 local send remote1 irq1", "-1 local send remote0 irq1")]
    public void Operations(string operation, string whileRunning, string whileLazy)
    {
        Assert.Equal(whileRunning, Run(operation, isLazy: false));
        Assert.Equal(whileLazy, Run(operation, isLazy: true));
    }

    [Fact]
    public void Writing_to_the_page_of_zeroes_copies_and_flushes_a_page_but_a_new_page_does_not()
    {
        var script = new TraceScript();
        script.Map(0, 2);
        script.Fault(0, 0x4);
        script.Fault(0, 0x7);
        script.Fault(1, 0x6);
        Assert.Equal("1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    [Fact]
    public void Protecting_a_page_that_was_not_written_changes_nothing()
    {
        var script = new TraceScript();
        script.Map(0, 1);
        script.Fault(0, 0x4);
        script.Call("mprotect", $"start: {TraceScript.Hex(Base)}, len: 0x1000, prot: 0x1");
        Assert.Equal("", script.Predicted(isLazy: false));
    }

    [Fact]
    public void A_gather_flushes_when_its_batches_are_full()
    {
        var script = new TraceScript();
        script.Map(0, 12_000);
        for (int page = 0; page < 12_000; page++)
        {
            script.Fault(page, 0x6);
        }

        script.Call("munmap", $"addr: {TraceScript.Hex(Base)}, len: {TraceScript.Hex(12_000 * 4096)}");
        Assert.Equal("-1 local send remote1 irq1; -1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    [Fact]
    public void A_neighbour_keeps_the_table_so_lazy_CPUs_stay_in_peace()
    {
        var script = new TraceScript();
        script.Map(0, 8);
        script.Map(16, 8);
        script.Fault(0, 0x6);
        script.Fault(16, 0x6);
        script.Call("munmap", $"addr: {TraceScript.Hex(Base)}, len: 0x8000");
        Assert.Equal("1 local send remote0 irq0", script.Predicted(isLazy: true));
    }

    /// <summary>Another process ran on the CPU while mmap mapped, and the switch back is missing: whoever returns from a call runs there.</summary>
    [Fact]
    public void A_call_ends_where_its_thread_is_whatever_switches_the_trace_has_lost()
    {
        const string place = "0x200000000000";
        var script = new TraceScript();
        script.Line("sys_enter_mmap", $"addr: {place}, len: 0x2000, prot: 0x3, flags: 0x8032, fd: 0xffffffff, off: 0x0");
        script.Line("page_fault_user", "address=0x601000 ip=0x401000 error_code=0x6", "other-20   [000]");
        script.Line("sys_exit_mmap", place);
        script.Call("munmap", $"addr: {place}, len: 0x2000");
        Assert.Equal("2 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    /// <summary>MADV_POPULATE_WRITE (23) over pages of zeroes that MADV_POPULATE_READ (22) mapped copies each, with a flush.</summary>
    [Fact]
    public void Populating_for_writes_replaces_what_was_populated_for_reads()
    {
        var script = new TraceScript();
        script.Map(0, 3);
        foreach (string advice in new[] { "0x16", "0x17", "0x17" })
        {
            script.Call("madvise", $"start: 0x200000000000, len_in: 0x3000, behavior: {advice}");
        }

        Assert.Equal(string.Join("; ", Enumerable.Repeat("1 local send remote1 irq1", 3)), script.Predicted(isLazy: false));
    }

    [Fact]
    public void A_call_that_failed_flushes_nothing()
    {
        var script = new TraceScript();
        script.Map(0, 1);
        script.Fault(0, 0x6);
        script.Call("munmap", $"addr: {TraceScript.Hex(Base)}, len: 0x1000", "0xffffffffffffffea");
        Assert.Equal("", script.Predicted(isLazy: false));
    }

    [Fact]
    public void Flushes_in_the_trace_do_not_change_the_prediction()
    {
        var plain = new TraceScript();
        plain.Map(0, 4);
        plain.Fault(0, 0x6);
        var noisy = new TraceScript();
        noisy.Map(0, 4);
        noisy.Line("tlb_flush", "pages:-1 reason:remote ipi send (4)");
        noisy.Line("tlb_flush", "pages:-1 reason:local mm shootdown (3)");
        noisy.Fault(0, 0x6);
        foreach (TraceScript script in new[] { plain, noisy })
        {
            script.Call("munmap", $"addr: {TraceScript.Hex(Base)}, len: 0x4000");
        }

        Assert.Equal(plain.Predicted(isLazy: false), noisy.Predicted(isLazy: false));
    }

    [Fact]
    public void Pages_that_were_read_in_advance_are_of_zeroes_and_copied_when_written()
    {
        var script = new TraceScript();
        script.Map(0, 4);
        script.Call("madvise", $"start: {TraceScript.Hex(Base)}, len_in: 0x4000, behavior: 0x16");
        script.Fault(2, 0x7);
        Assert.Equal("1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Without_swap_nothing_is_paged_out(bool hasSwap)
    {
        var script = new TraceScript();
        script.Map(0, 2);
        script.Fault(0, 0x6);
        script.Call("madvise", $"start: {TraceScript.Hex(Base)}, len_in: 0x2000, behavior: 0x15");
        Assert.Equal(hasSwap, script.Predicted(isLazy: false, hasSwap).Length > 0);
    }

    /// <summary>Private memory that was only read stays as it is; shared memory is writable from the beginning.</summary>
    [Theory]
    [InlineData(0x32, "")]
    [InlineData(0x31, "2 local send remote1 irq1; 2 local send remote1 irq1")]
    public void Rights_of_shared_memory_change_in_its_entries(int flags, string flushes)
    {
        var script = new TraceScript();
        script.Map(0, 2, flags);
        script.Fault(0, 0x4);
        script.Fault(1, 0x4);
        script.Call("mprotect", $"start: {TraceScript.Hex(Base)}, len: 0x2000, prot: 0x1");
        script.Call("mprotect", $"start: {TraceScript.Hex(Base)}, len: 0x2000, prot: 0x3");
        Assert.Equal(flushes, script.Predicted(isLazy: false));
    }

    [Fact]
    public void The_right_to_execute_is_flushed_too()
    {
        var script = new TraceScript();
        script.Map(0, 3);
        script.Fault(0, 0x4);
        script.Fault(2, 0x4);
        script.Call("mprotect", $"start: {TraceScript.Hex(Base)}, len: 0x3000, prot: 0x5");
        Assert.Equal("3 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    /// <summary>Thread 11 blocks before the call ends: it was there when the call began.</summary>
    [Fact]
    public void A_call_interrupts_who_runs_when_it_begins()
    {
        var script = new TraceScript();
        script.Map(0, 1);
        script.Fault(0, 0x6);
        script.Line("sys_enter_munmap", $"addr: {TraceScript.Hex(Base)}, len: 0x1000");
        script.Block11();
        script.Line("sys_exit_munmap", "0x0");
        Assert.Equal("1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    [Fact]
    public void A_call_that_takes_very_long_is_carried_out_at_its_end()
    {
        var script = new TraceScript();
        script.Map(0, 1);
        script.Fault(0, 0x6);
        script.Line("sys_enter_munmap", $"addr: {TraceScript.Hex(Base)}, len: 0x1000");
        for (int i = 0; i < 20_000; i++)
        {
            script.Line("page_fault_user", "address=0x7f0000001000 ip=0x401000 error_code=0x6", "w-11   [001]");
        }

        script.Block11();
        script.Line("sys_exit_munmap", "0x0");
        Assert.Equal("1 local send remote0 irq1", script.Predicted(isLazy: false));
    }

    private static string Run(string operation, bool isLazy)
    {
        string[] words = operation.Split(' ');
        int touched = int.Parse(words[1], CultureInfo.InvariantCulture);
        int pages = Math.Max(1, touched);
        var script = new TraceScript();
        script.Map(0, pages);
        for (int page = 0; page < touched; page++)
        {
            script.Fault(page, 0x6);
        }

        string range = $"{TraceScript.Hex(Base)}, len: {TraceScript.Hex(pages * 4096L)}";
        switch (words[0])
        {
            case "munmap":
                script.Call("munmap", $"addr: {range}");
                break;
            case "dontneed":
                script.Call("madvise", $"start: {range}, behavior: 0x4");
                break;
            case "free":
                script.Call("madvise", $"start: {range}, behavior: 0x8");
                break;
            case "readonly":
                script.Call("mprotect", $"start: {range}, prot: 0x1");
                break;
            default:
                long to = Base + (1L << 29);
                string size = TraceScript.Hex(pages * 4096L);
                script.Call("mremap", $"addr: {TraceScript.Hex(Base)}, old_len: {size}, new_len: {size}, flags: 0x3, new_addr: {TraceScript.Hex(to)}", TraceScript.Hex(to));
                break;
        }

        return script.Predicted(isLazy);
    }
}
