using System.Globalization;
using System.Text;
using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Traces of machines with more CPUs than a word has bits, and of designs that replace functions which a replay needs too.</summary>
public sealed class LargeMachineTests
{
    private const long Base = 0x200000000000;

    /// <summary>A thread on each CPU; then one of them gives a page back, and all others are interrupted once.</summary>
    [Theory]
    [InlineData(3, 2)]
    [InlineData(64, 63)]
    [InlineData(65, 64)]
    [InlineData(128, 127)]
    [InlineData(512, 511)]
    public void Every_other_CPU_is_interrupted(int cpus, long interrupts)
    {
        ReplayReport report = TraceText.Replay(ThreadOnEachCpu(cpus));
        Assert.Equal(
            (1L, 1L, interrupts, interrupts),
            (report.Prediction!.Predicted.LocalMm, report.Prediction.Predicted.SendIpi, report.Prediction.Predicted.Remote, report.Prediction.Predicted.Interrupts));
        Assert.DoesNotContain(report.Missing, missing => missing.Contains("no prediction", StringComparison.Ordinal));
    }

    [Fact]
    public void More_CPUs_than_a_machine_can_have_are_said_and_nothing_is_predicted()
    {
        ReplayReport report = TraceText.Replay(ThreadOnEachCpu(513));
        Assert.Null(report.Prediction);
        Assert.Contains("more than 512 CPUs: no prediction", report.Missing);
    }

    /// <summary>The machine is made when 16384 events are known: a CPU beyond 64 that comes later needs a first line that tells.</summary>
    [Fact]
    public void A_CPU_that_comes_late_is_named_and_a_first_line_helps()
    {
        string early = string.Concat(Enumerable.Repeat(ThreadOnEachCpu(2), 16384 / 8));
        string late = ThreadOnEachCpu(70);
        ReplayReport unknown = TraceText.Replay(early + late);
        Assert.Null(unknown.Prediction);
        Assert.Contains(unknown.Missing, missing => missing.EndsWith("a first line 'cpus=70' tells", StringComparison.Ordinal));
        Assert.NotNull(TraceText.Replay("cpus=70\n" + early + late).Prediction);
    }

    /// <summary>
    /// LUF replaces a part of reclaim, which a replay needs as well to leave files alone: clean pages that nobody may write are given up
    /// without a flush, and one flush comes when frames are handed out.
    /// </summary>
    [Fact]
    public void A_design_keeps_its_reclaim_in_a_replay()
    {
        string trace = ThreadOnEachCpu(2, "sys_enter_mprotect: start: {0}, len: 0x8000, prot: 0x1", "sys_enter_madvise: start: {0}, len_in: 0x8000, behavior: 0x15");
        using TraceReader reader = TraceReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(trace)), "test");
        ReplayReport report = Replayer.Run(reader, "test", new ReplayOptions { Policies = [FlushPolicy.Find("lazy-until-reuse")!] });
        Assert.Equal([3, 1], report.Policies!.Rows.Select(row => row.Costs.Interrupts));
    }

    private static string ThreadOnEachCpu(int cpus, params string[] calls)
    {
        var lines = new StringBuilder();
        int timeUs = 0;
        void Line(string task, int cpu, string text)
            => lines.Append(CultureInfo.InvariantCulture, $"  {task}   [{cpu:000}]  1.{timeUs += 50:000000}: {text}\n");

        void Run(int cpu) => Line("<idle>-0", cpu, string.Create(
            CultureInfo.InvariantCulture,
            $"sched_switch: prev_comm=swapper/{cpu} prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=w next_pid={1000 + cpu} next_prio=120"));

        string place = string.Create(CultureInfo.InvariantCulture, $"0x{Base:x}");
        Run(0);
        Line("w-1000", 0, $"sys_enter_mmap: addr: {place}, len: 0x400000, prot: 0x3, flags: 0x32, fd: 0xffffffff, off: 0x0");
        Line("w-1000", 0, $"sys_exit_mmap: {place}");
        Line("w-1000", 0, $"page_fault_user: address={place} ip=0x401000 error_code=0x6");
        for (int cpu = 1; cpu < cpus; cpu++)
        {
            Run(cpu);
            Line($"w-{1000 + cpu}", cpu, string.Create(CultureInfo.InvariantCulture, $"page_fault_user: address=0x{Base + (cpu * 4096L):x} ip=0x401000 error_code=0x6"));
        }

        foreach (string call in calls.Length > 0 ? calls : ["sys_enter_madvise: start: {0}, len_in: 0x1000, behavior: 0x4"])
        {
            Line("w-1000", 0, string.Format(CultureInfo.InvariantCulture, call, place));
            Line("w-1000", 0, $"{call[..call.IndexOf(':', StringComparison.Ordinal)].Replace("enter", "exit", StringComparison.Ordinal)}: 0x0");
        }

        return lines.ToString();
    }
}
