using System.Text;
using Shootdown.Measure;
using Shootdown.Tests.Cli;

namespace Shootdown.Tests.Measure;

/// <summary>Which threads <c>--pid</c> and <c>--comm</c> select when single events say less than the trace as a whole.</summary>
public sealed class ReplaySelectionTests
{
    [Fact]
    public void A_process_that_later_events_name_holds_for_the_thread_from_its_first_event_on()
    {
        ReplayReport report = Replay(
            """
              a-10    (-------) [000] d..2. 1.000010: tlb_flush: pages:2 reason:local mm shootdown (3)
              b-11    (-------) [001] d..2. 1.000011: tlb_flush: pages:2 reason:local mm shootdown (3)
              c-12    (-------) [002] d..2. 1.000012: tlb_flush: pages:2 reason:local mm shootdown (3)
              b-11    (     10) [001] d..2. 1.000020: tlb_flush: pages:2 reason:local mm shootdown (3)
              c-12    (     12) [002] d..2. 1.000021: tlb_flush: pages:2 reason:local mm shootdown (3)
              b-11    (-------) [001] d..2. 1.000030: tlb_flush: pages:2 reason:local mm shootdown (3)

            """,
            new ReplaySelection(10, null));

        Assert.Equal(4, report.Recorded!.LocalMm);
        Assert.DoesNotContain(report.Missing, line => line.Contains("process 10", StringComparison.Ordinal));
    }

    [Fact]
    public void A_forgotten_name_is_no_name()
    {
        const string trace = """
              <...>-11 [001] d..2. 1.000010: tlb_flush: pages:2 reason:local mm shootdown (3)
              <...>-12 [002] d..2. 1.000011: tlb_flush: pages:2 reason:local mm shootdown (3)
              other-13 [003] d..2. 1.000012: sched_switch: prev_comm=other prev_pid=13 prev_prio=120 prev_state=S ==> next_comm=mine-2 next_pid=12 next_prio=120
              mine-1-11 [001] d..2. 1.000020: tlb_flush: pages:2 reason:local mm shootdown (3)
              <...>-11 [001] d..2. 1.000030: tlb_flush: pages:2 reason:local mm shootdown (3)
              <...>-14 [001] d..2. 1.000040: tlb_flush: pages:2 reason:local mm shootdown (3)

            """;

        Assert.Equal(4, Replay(trace, new ReplaySelection(null, "mine")).Recorded!.LocalMm);
    }

    [Fact]
    public void An_id_that_another_task_gets_tells_nothing_of_the_one_before()
    {
        ReplayReport report = Replay(
            """
              a 10/10 [000] 1.000010: tlb:tlb_flush: pages:2 reason:local MM shootdown (3)
              a 10/11 [001] 1.000011: tlb:tlb_flush: pages:2 reason:local MM shootdown (3)
              a 10/11 [001] 1.000012: sched:sched_process_exit: comm=a pid=11 prio=120
              a 10/11 [001] 1.000013: tlb:tlb_flush: pages:-1 reason:local MM shootdown (3)
              s 20/20 [001] 1.000020: sched:sched_process_fork: comm=s pid=20 child_comm=s child_pid=11
              s -1/11 [001] 1.000021: tlb:tlb_flush: pages:2 reason:local MM shootdown (3)

            """,
            new ReplaySelection(10, null));

        Assert.Equal(3, report.Recorded!.LocalMm);
        Assert.Contains("1 flush of threads whose process the trace does not name: some may be of process 10; --comm selects by name", report.Missing);
    }

    [Theory]
    [InlineData("sys_enter_execve: filename: 0x1, argv: 0x2, envp: 0x3", "sys_exit_execve: 0x0")]
    [InlineData("sys_enter_prctl: option: 0xf, arg2: 0x1", "sys_exit_prctl: 0x0")]
    public void A_name_that_changes_within_a_call_selects_from_there_on(string enter, string exit)
    {
        ReplayReport report = Replay(
            $"""
                bash 500/500 [000] 1.000001: syscalls:{enter}
             service 500/500 [000] 1.000002: syscalls:{exit}
             service 500/500 [000] 1.000003: tlb:tlb_flush: pages:1 reason:local MM shootdown (3)

            """,
            new ReplaySelection(null, "service"));

        Assert.Equal((1, 2), (report.Recorded!.LocalMm, report.SelectedEvents));
    }

    [Fact]
    public void A_trace_without_processes_says_that_a_pid_is_a_thread()
    {
        ReplayReport report = Replay("a-10 [000] 1.000010: tlb_flush: pages:2 reason:local mm shootdown (3)\n", new ReplaySelection(10, null));
        Assert.Contains(report.Missing, line => line.StartsWith("other threads of process 10: the trace names no processes", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--comm nosuch: no thread of the trace has a name that begins so; the most active are mix", "--comm", "nosuch")]
    [InlineData("--pid 99999: no event of the trace is of such a thread, and the trace names no processes; the most active are ", "--pid", "99999")]
    public void A_selection_that_holds_nothing_is_a_usage_error_with_what_there_is(string message, params string[] options)
    {
        (int code, string output, string error) = CommandRun.Of(["replay", TraceText.PathOf("multi612-mix2-40-1.trace-cmd.txt.gz"), .. options]);

        Assert.Equal((64, ""), (code, output));
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_names_in_strace_a_name_selects_nothing_and_the_option_that_adds_them_is_said()
    {
        (int code, _, string error) = CommandRun.Of("replay", TraceText.PathOf("stress.strace"), "--comm", "t");

        Assert.Equal(64, code);
        Assert.Contains("strace prints them with -Y", error, StringComparison.Ordinal);
    }

    /// <summary>The child's own process tells whether it is a thread.</summary>
    [Theory]
    [InlineData("20/20", 1)]
    [InlineData("10/20", 0)]
    public void A_fork_without_its_call_is_carried_out_by_what_the_child_turns_out_to_be(string child, int flushes)
    {
        ReplayReport report = Replay(Forked($"a {child} [001] 1.000020: exceptions:page_fault_user: address=0x7f0000000000 ip=0x401000 error_code=0x4\n"));

        Assert.Equal(flushes, report.Prediction!.Predicted.LocalMm);
        Assert.Empty(report.Prediction.NotModelled);
    }

    [Fact]
    public void A_fork_of_which_nothing_is_known_is_named()
    {
        PredictionRow prediction = Replay(Forked("")).Prediction!;
        Assert.Equal(1, prediction.NotModelled["new task without the call that made it (trace sys_enter_clone, clone3, fork and vfork)"]);
    }

    private static string Forked(string child) =>
        $"""
         a 10/10 [000] 1.000001: syscalls:sys_enter_mmap: addr: 0x0, len: 0x1000, prot: 0x3, flags: 0x22, fd: 0xffffffff, off: 0x0
         a 10/10 [000] 1.000002: syscalls:sys_exit_mmap: 0x7f0000000000
         a 10/10 [000] 1.000003: exceptions:page_fault_user: address=0x7f0000000000 ip=0x401000 error_code=0x6
         a 10/10 [000] 1.000004: sched:sched_process_fork: comm=a pid=10 child_comm=a child_pid=20
         {child}b 30/30 [001] 1.000030: sched:sched_switch: prev_comm=b prev_pid=30 prev_prio=120 prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120

         """;

    private static ReplayReport Replay(string text, ReplaySelection? selection = null)
    {
        using TraceReader reader = TraceReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(text)), "test");
        return Replayer.Run(reader, "test", new ReplayOptions { Selection = selection ?? ReplaySelection.All });
    }
}
