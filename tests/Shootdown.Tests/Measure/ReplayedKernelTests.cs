using System.Globalization;
using System.Text;
using Shootdown.Measure;

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
        var script = new Script();
        script.Map(0, 2);
        script.Fault(0, 0x4);
        script.Fault(0, 0x7);
        script.Fault(1, 0x6);
        Assert.Equal("1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    [Fact]
    public void Protecting_a_page_that_was_not_written_changes_nothing()
    {
        var script = new Script();
        script.Map(0, 1);
        script.Fault(0, 0x4);
        script.Call("mprotect", $"start: {Script.Hex(Base)}, len: 0x1000, prot: 0x1");
        Assert.Equal("", script.Predicted(isLazy: false));
    }

    [Fact]
    public void A_gather_flushes_when_its_batches_are_full()
    {
        var script = new Script();
        script.Map(0, 12_000);
        for (int page = 0; page < 12_000; page++)
        {
            script.Fault(page, 0x6);
        }

        script.Call("munmap", $"addr: {Script.Hex(Base)}, len: {Script.Hex(12_000 * 4096)}");
        Assert.Equal("-1 local send remote1 irq1; -1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    [Fact]
    public void A_neighbour_keeps_the_table_so_lazy_CPUs_stay_in_peace()
    {
        var script = new Script();
        script.Map(0, 8);
        script.Map(16, 8);
        script.Fault(0, 0x6);
        script.Fault(16, 0x6);
        script.Call("munmap", $"addr: {Script.Hex(Base)}, len: 0x8000");
        Assert.Equal("1 local send remote0 irq0", script.Predicted(isLazy: true));
    }

    [Fact]
    public void A_call_that_failed_flushes_nothing()
    {
        var script = new Script();
        script.Map(0, 1);
        script.Fault(0, 0x6);
        script.Call("munmap", $"addr: {Script.Hex(Base)}, len: 0x1000", "0xffffffffffffffea");
        Assert.Equal("", script.Predicted(isLazy: false));
    }

    [Fact]
    public void Flushes_in_the_trace_do_not_change_the_prediction()
    {
        var plain = new Script();
        plain.Map(0, 4);
        plain.Fault(0, 0x6);
        var noisy = new Script();
        noisy.Map(0, 4);
        noisy.Line("tlb_flush", "pages:-1 reason:remote ipi send (4)");
        noisy.Line("tlb_flush", "pages:-1 reason:local mm shootdown (3)");
        noisy.Fault(0, 0x6);
        foreach (Script script in new[] { plain, noisy })
        {
            script.Call("munmap", $"addr: {Script.Hex(Base)}, len: 0x4000");
        }

        Assert.Equal(plain.Predicted(isLazy: false), noisy.Predicted(isLazy: false));
    }

    [Fact]
    public void Pages_that_were_read_in_advance_are_of_zeroes_and_copied_when_written()
    {
        var script = new Script();
        script.Map(0, 4);
        script.Call("madvise", $"start: {Script.Hex(Base)}, len_in: 0x4000, behavior: 0x16");
        script.Fault(2, 0x7);
        Assert.Equal("1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Without_swap_nothing_is_paged_out(bool hasSwap)
    {
        var script = new Script();
        script.Map(0, 2);
        script.Fault(0, 0x6);
        script.Call("madvise", $"start: {Script.Hex(Base)}, len_in: 0x2000, behavior: 0x15");
        Assert.Equal(hasSwap, script.Predicted(isLazy: false, hasSwap).Length > 0);
    }

    /// <summary>Private memory that was only read stays as it is; shared memory is writable from the beginning.</summary>
    [Theory]
    [InlineData(0x32, "")]
    [InlineData(0x31, "2 local send remote1 irq1; 2 local send remote1 irq1")]
    public void Rights_of_shared_memory_change_in_its_entries(int flags, string flushes)
    {
        var script = new Script();
        script.Map(0, 2, flags);
        script.Fault(0, 0x4);
        script.Fault(1, 0x4);
        script.Call("mprotect", $"start: {Script.Hex(Base)}, len: 0x2000, prot: 0x1");
        script.Call("mprotect", $"start: {Script.Hex(Base)}, len: 0x2000, prot: 0x3");
        Assert.Equal(flushes, script.Predicted(isLazy: false));
    }

    [Fact]
    public void The_right_to_execute_is_flushed_too()
    {
        var script = new Script();
        script.Map(0, 3);
        script.Fault(0, 0x4);
        script.Fault(2, 0x4);
        script.Call("mprotect", $"start: {Script.Hex(Base)}, len: 0x3000, prot: 0x5");
        Assert.Equal("3 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    /// <summary>Thread 11 blocks before the call ends: it was there when the call began.</summary>
    [Fact]
    public void A_call_interrupts_who_runs_when_it_begins()
    {
        var script = new Script();
        script.Map(0, 1);
        script.Fault(0, 0x6);
        script.Line("sys_enter_munmap", $"addr: {Script.Hex(Base)}, len: 0x1000");
        script.Block11();
        script.Line("sys_exit_munmap", "0x0");
        Assert.Equal("1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    [Fact]
    public void A_call_that_takes_very_long_is_carried_out_at_its_end()
    {
        var script = new Script();
        script.Map(0, 1);
        script.Fault(0, 0x6);
        script.Line("sys_enter_munmap", $"addr: {Script.Hex(Base)}, len: 0x1000");
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
        var script = new Script();
        script.Map(0, pages);
        for (int page = 0; page < touched; page++)
        {
            script.Fault(page, 0x6);
        }

        string range = $"{Script.Hex(Base)}, len: {Script.Hex(pages * 4096L)}";
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
                string size = Script.Hex(pages * 4096L);
                script.Call("mremap", $"addr: {Script.Hex(Base)}, old_len: {size}, new_len: {size}, flags: 0x3, new_addr: {Script.Hex(to)}", Script.Hex(to));
                break;
        }

        return script.Predicted(isLazy);
    }

    /// <summary>Text as trace-cmd writes it: thread 10 acts on CPU 0, thread 11 of the same process is on CPU 1.</summary>
    private sealed class Script
    {
        private readonly StringBuilder _lines = new();
        private int _timeUs = 1000;

        public static string Hex(long value) => string.Create(CultureInfo.InvariantCulture, $"0x{value:x}");

        public void Line(string name, string fields, string task = "w-10   [000]")
            => _lines.Append(CultureInfo.InvariantCulture, $"  {task}  1.{_timeUs++:000000}: {name}: {fields}\n");

        public void Block11() => Line(
            "sched_switch", "prev_comm=w prev_pid=11 prev_prio=120 prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120", "w-11   [001]");

        public void Map(int page, int pages, int flags = 0x32)
            => Call(
                "mmap",
                $"addr: {Hex(Base + page * 4096L)}, len: {Hex(pages * 4096L)}, prot: 0x3, flags: {Hex(flags)}, fd: 0xffffffff, off: 0x0",
                Hex(Base + page * 4096L));

        public void Fault(int page, int code) => Line("page_fault_user", $"address={Hex(Base + page * 4096L)} ip=0x401000 error_code={Hex(code)}");

        public void Call(string name, string arguments, string result = "0x0")
        {
            Line($"sys_enter_{name}", arguments);
            Line($"sys_exit_{name}", result);
        }

        public string Predicted(bool isLazy, bool hasSwap = true)
        {
            string program = _lines.ToString();
            _lines.Clear();
            _timeUs = 1;
            Line("sched_switch", "prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=w next_pid=10 next_prio=120", "<idle>-0   [000]");

            // The table that both stand on lies elsewhere, so that it does not keep tables of the operation.
            Call("mmap", "addr: 0x0, len: 0x2000, prot: 0x3, flags: 0x22, fd: 0xffffffff, off: 0x0", "0x7f0000000000");
            Line("sched_switch", "prev_comm=swapper/1 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=w next_pid=11 next_prio=120", "<idle>-0   [001]");
            Line("page_fault_user", "address=0x7f0000001000 ip=0x401000 error_code=0x6", "w-11   [001]");
            if (isLazy)
            {
                Block11();
            }

            var flushes = new List<string>();
            using TraceReader reader = TraceReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(_lines + program)), "script");
            Replayer.Run(reader, "script", new ReplayOptions { HasSwap = hasSwap, OnPredicted = flush => flushes.Add(Text(flush)) });
            return string.Join("; ", flushes);
        }

        private static string Text(PredictedFlush flush) => string.Create(
            CultureInfo.InvariantCulture,
            $"{flush.Pages}{(flush.HasLocal ? " local" : "")}{(flush.HasSendIpi ? " send" : "")} remote{flush.Remote} irq{flush.Interrupts}");
    }
}
