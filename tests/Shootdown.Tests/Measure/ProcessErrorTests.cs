using Shootdown.Measure;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Measure;

/// <summary>Recordings of whole systems: docs/fidelity.md states how far each process is off, and is held to it.</summary>
public sealed class ProcessErrorTests
{
    private const string Document = "docs/fidelity.md";
    private const int FlushesMin = 50;

    [Theory]
    [InlineData("redis-bgsave")]
    [InlineData("stress-mmap")]
    [InlineData("stress-tlbshoot")]
    [InlineData("xz-T2")]
    public void The_document_states_the_error_of_each_process(string trace)
    {
        string path = Path.Combine(Environment.GetEnvironmentVariable("SHOOTDOWN_TRACES") ?? "", $"{trace}.perf-script.txt.gz");
        if (!File.Exists(path))
        {
            Assert.Skip($"{trace} is not in the repository; SHOOTDOWN_TRACES can name a folder that has it");
        }

        string table = ProcessErrors.Table(ProcessErrors.Of(path, TimedProfile.Linux618, hasSwap: false), FlushesMin);
        string text = Repository.Read(Document);
        string heading = $"### {trace}\n\n";
        int begin = text.IndexOf(heading, StringComparison.Ordinal) + heading.Length;
        int end = text.IndexOf("\n\n", begin, StringComparison.Ordinal) + 1;
        if (Environment.GetEnvironmentVariable("SHOOTDOWN_UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(Repository.PathOf(Document), text[..begin] + table + text[end..]);
            return;
        }

        Assert.Equal(table, text[begin..end]);
    }

    /// <summary>A short recording of two processes that unmap the same addresses, each its own.</summary>
    [Fact]
    public void Processes_are_told_apart()
    {
        string Program(string task, int flushes) => string.Concat(
            $"{task} [000] 1.000001: syscalls:sys_enter_mmap: addr: 0x0, len: 0x1000, prot: 0x3, flags: 0x22, fd: 0xffffffff, off: 0x0\n",
            $"{task} [000] 1.000002: syscalls:sys_exit_mmap: 0x7f0000000000\n",
            $"{task} [000] 1.000003: exceptions:page_fault_user: address=0x7f0000000000 ip=0x401000 error_code=0x6\n",
            $"{task} [000] 1.000004: syscalls:sys_enter_munmap: addr: 0x7f0000000000, len: 0x1000\n",
            string.Concat(Enumerable.Repeat($"{task} [000] 1.000005: tlb:tlb_flush: pages:1 reason:local MM shootdown (3)\n", flushes)),
            $"{task} [000] 1.000006: syscalls:sys_exit_munmap: 0x0\n");

        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, Program("a  10/10 ", 1) + Program("b  20/20 ", 3));
            Assert.Equal(
                "| process | flushes | shootdowns | interrupts that flushed |\n|---|---|---|---|\n"
                + "| b 20 | 1 / 3 (-66.7 %) | 0 / 0 | 0 / 0 |\n| a 10 | 1 / 1 | 0 / 0 | 0 / 0 |\n| **all** | 2 / 4 (-50.0 %) | 0 / 0 | 0 / 0 |\n",
                ProcessErrors.Table(ProcessErrors.Of(file, TimedProfile.Linux612, hasSwap: true), 1));
        }
        finally
        {
            File.Delete(file);
        }
    }
}
