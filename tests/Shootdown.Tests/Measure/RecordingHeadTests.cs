using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>What a recording says of its machine before the first event, and what a replay makes of it.</summary>
public sealed class RecordingHeadTests
{
    private const string Flush = "          w-10      (     10) [000] ...1.    1.000003: sys_munmap(addr: 7f0000000000, len: 1000)\n"
        + "          w-10      (     10) [000] ...1.    1.000005: sys_munmap -> 0x0\n";

    private const string Program = "          w-10      (     10) [000] ...1.    1.000000: sys_mmap(addr: 0, len: 1000, prot: 3, flags: 22, fd: ffffffff, off: 0)\n"
        + "          w-10      (     10) [000] ...1.    1.000001: sys_mmap -> 0x7f0000000000\n"
        + "          w-10      (     10) [000] d....    1.000002: page_fault_user: address=0x7f0000000000 ip=0x401000 error_code=0x6\n"
        + Flush
        + "          w-10      (     10) [000] d..2.    1.000009: sched_switch: prev_comm=w prev_pid=10 prev_prio=120 prev_state=S ==> next_comm=swapper/0 next_pid=0 next_prio=120\n";

    [Fact]
    public void Settings_and_threads_are_read_as_they_were_written()
    {
        var settings = new RecordedSystem(HugePageMode.Always, HasSwap: false, NumaBalancing: true);
        var task = new RecordedTask(12, 10, 3, IsLast: true, IsRunning: false);
        (_, TraceReader reader) = TraceText.Read(
            $"# shootdown recording 1\n# shootdown kernel=6.12.0 cpus=4{settings} target=w\n# shootdown {task}\n{Program}# shootdown end lost=0 tlb_interrupts=1\n");

        Assert.Equal(settings, reader.Settings);
        Assert.Equal([task], reader.Tasks);
        Assert.Equal(("6.12.0", 4, 1L), (reader.KernelVersion, reader.Cpus, reader.TlbInterrupts));
        Assert.Empty(TraceText.Problems(reader));
    }

    [Theory]
    [InlineData("7f1c2e000000-7f1c2e021000 rw-p 00000000 00:00 0", 3, AreaKind.Anonymous)]
    [InlineData("7f1c2e000000-7f1c2e021000 rw-p 00000000 00:00 0                          [heap]", 3, AreaKind.Anonymous)]
    [InlineData("7f1c2e000000-7f1c2e021000 ---p 00000000 00:00 0", 0, AreaKind.Anonymous)]
    [InlineData("7f1c2e000000-7f1c2e021000 r-xp 00002000 fe:00 123456                     /usr/lib/a file.so (deleted)", 5, AreaKind.PrivateFile)]
    [InlineData("7f1c2e000000-7f1c2e021000 rw-s 00002000 fe:00 123456                     /var/data", 3, AreaKind.Shared)]
    [InlineData("7f1c2e000000-7f1c2e021000 rw-s 00002000 00:01 123456                     /memfd:doublemapper (deleted)", 3, AreaKind.SharedMemory)]
    public void Areas_are_read_as_proc_shows_them_and_as_they_were_written(string line, int protection, AreaKind kind)
    {
        var expected = new RecordedArea(10, 0x7f1c2e000000, 0x21000, protection, kind);
        Assert.Equal(expected, ProcessMaps.AreaOf(10, line));
        (_, TraceReader reader) = TraceText.Read($"# shootdown recording 1\n# shootdown {expected}\n{Program}");
        Assert.Equal([expected], reader.Areas);
    }

    [Theory]
    [InlineData("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]")]
    [InlineData("nonsense")]
    [InlineData("")]
    public void What_is_no_area_of_the_user_is_passed_over(string line) => Assert.Null(ProcessMaps.AreaOf(10, line));

    /// <summary>Tables are freed with the last area that they serve: one that was there before keeps them.</summary>
    [Theory]
    [InlineData("", 1)]
    [InlineData("# shootdown area pid=10 addr=0x7f0000010000 len=0x1000 prot=3 kind=anonymous\n", 0)]
    [InlineData("# shootdown area pid=11 addr=0x7f0000010000 len=0x1000 prot=3 kind=anonymous\n", 1)]
    public void An_area_that_was_there_keeps_its_tables(string area, int interrupts)
    {
        const string lazy = "# shootdown task=11 pid=10 cpu=1 last=1 running=0\n";
        using TraceReader reader = TraceReader.Open(
            new MemoryStream(System.Text.Encoding.UTF8.GetBytes($"# shootdown recording 1\n# shootdown kernel=6.12.0 cpus=4 target=w\n{area}{lazy}{Program}")), "recording");
        Assert.Equal(interrupts, Replayer.Run(reader, "recording", new ReplayOptions()).Prediction!.Predicted.Interrupts);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public void NUMA_balancing_is_pointed_out(bool isOn, int expected)
    {
        RecordedSystem settings = new(HugePageMode.Madvise, HasSwap: true, isOn);
        using TraceReader reader = TraceReader.Open(
            new MemoryStream(System.Text.Encoding.UTF8.GetBytes($"# shootdown recording 1\n# shootdown kernel=6.12.0 cpus=4{settings} target=w\n{Program}")), "recording");
        IReadOnlyList<string> missing = Replayer.Run(reader, "recording", new ReplayOptions()).Missing;
        Assert.Equal(expected, missing.Count(figure => figure.StartsWith("NUMA balancing was on", StringComparison.Ordinal)));
    }

    [Fact]
    public void Another_tools_trace_tells_nothing()
    {
        (_, TraceReader reader) = TraceText.Read(Program);
        Assert.Equal(default, reader.Settings);
        Assert.Empty(reader.Tasks);
        Assert.Empty(reader.Areas);
    }

    /// <summary>Thread 11 never has an event: that it runs on CPU 1, or ran there last, decides whom the munmap interrupts.</summary>
    [Theory]
    [InlineData("", 0, 0, 0)]
    [InlineData("# shootdown task=11 pid=10 cpu=1 last=1 running=1\n", 1, 1, 1)]
    [InlineData("# shootdown task=11 pid=10 cpu=1 last=1 running=0\n", 1, 0, 1)]
    [InlineData("# shootdown task=11 pid=10 cpu=1 last=0 running=0\n", 0, 0, 0)]
    [InlineData("# shootdown task=11 pid=11 cpu=1 last=1 running=1\n", 0, 0, 0)]
    [InlineData("# shootdown task=11 pid=10 cpu=1 last=1 running=1\n# shootdown task=12 pid=10 cpu=2 last=1 running=1\n", 1, 2, 2)]
    public void Threads_that_were_there_count(string tasks, int shootdowns, int remote, int interrupts)
    {
        using TraceReader reader = TraceReader.Open(
            new MemoryStream(System.Text.Encoding.UTF8.GetBytes($"# shootdown recording 1\n# shootdown kernel=6.12.0 cpus=4 target=w\n{tasks}{Program}")), "recording");
        FlushCounts predicted = Replayer.Run(reader, "recording", new ReplayOptions()).Prediction!.Predicted;
        Assert.Equal((1, shootdowns, remote, interrupts), (predicted.LocalMm, predicted.SendIpi, predicted.Remote, predicted.Interrupts));
    }

    [Fact]
    public void This_machine_can_be_asked()
    {
        RecordedTask self = Assert.Single(RunningTasks.Read(), task => task.Tid == Environment.ProcessId);
        Assert.Equal(Environment.ProcessId, self.Pid);
        Assert.True(RunningTasks.Read().GroupBy(task => task.Cpu).All(cpu => cpu.Count(task => task.IsLast) <= 1));
        Assert.Contains(ProcessMaps.Read(Environment.ProcessId), area => area.Kind == AreaKind.Anonymous && area.Protection == 3);
        Assert.Empty(ProcessMaps.Read(int.MaxValue));
        Assert.True(RecordedSystem.OfThisMachine() == RecordedSystem.OfThisMachine());
    }
}
