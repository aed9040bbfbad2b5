using System.Globalization;
using Shootdown.Measure;
using Shootdown.Tests.Cli;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Measure;

/// <summary>The kernel code on the timed machine does what recorded kernels did, operation by operation.</summary>
public sealed class FidelityTests
{
    private const string Document = "docs/fidelity.md";
    private const string Begin = "SHOOTDOWN_UPDATE_GOLDEN=1 refreshes it -->\n";
    private const string End = "<!-- end of table -->";

    private static readonly Lazy<Fidelity> Result = new(
        () => Fidelity.Run(Repository.PathOf("tests/Shootdown.Tests/Measure/per-operation.csv")));

    private static readonly Lazy<Fidelity> HeldOut = new(
        () => Fidelity.Run(Repository.PathOf("tests/Shootdown.Tests/Measure/held-out-per-operation.csv")));

    [Theory]
    [InlineData("6.1", 246, 0)]
    [InlineData("6.12", 251, 1)]
    [InlineData("6.18", 241, 7)]
    public void Nearly_all_rows_are_exact(string kernel, int exact, int different)
    {
        Assert.Equal(exact, Result.Value.Count(FidelityVerdict.Exact, kernel));
        Assert.True(different == Result.Value.Count(FidelityVerdict.Different, kernel), string.Join('\n', Result.Value.Rows.Where(row => row.Verdict == FidelityVerdict.Different).Select(row => row.Reason)));
    }

    /// <summary>Rows that were recorded when the model was finished: other sizes, other numbers of CPUs and of helpers.</summary>
    [Theory]
    [InlineData("6.1", 1348, 16)]
    [InlineData("6.12", 1343, 21)]
    public void Held_out_rows_are_as_exact(string kernel, int exact, int different)
    {
        Assert.Equal(exact, HeldOut.Value.Count(FidelityVerdict.Exact, kernel));
        Assert.Equal(different, HeldOut.Value.Count(FidelityVerdict.Different, kernel));
        Assert.Equal(0, HeldOut.Value.Count(FidelityVerdict.NotModelled, kernel));
        string row = string.Create(CultureInfo.InvariantCulture, $"| {kernel} | {exact + different:N0} | {exact:N0} | {100.0 * exact / (exact + different):0.0} % |");
        Assert.Contains(row, Repository.Read(Document), StringComparison.Ordinal);
    }

    [Fact]
    public void The_document_shows_the_computed_table()
    {
        string text = Repository.Read(Document);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        int end = text.IndexOf(End, StringComparison.Ordinal);
        string table = FidelityText.Table(Result.Value);
        if (Environment.GetEnvironmentVariable("SHOOTDOWN_UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(Repository.PathOf(Document), text[..begin] + table + text[end..]);
            return;
        }

        Assert.Equal(table, text[begin..end]);
    }

    /// <summary>
    /// A size that was not recorded: 4 helpers that run, 10 pages alone in their tables. One flush of ten pages everywhere, tables
    /// included.
    /// </summary>
    [Fact]
    public void A_row_that_nobody_recorded_follows_the_mechanism()
    {
        (Signature events, long interrupts, long ns) = TlbBench.Run(BenchMachine.Of("6.12")!, BenchOperation.All["munmap_iso"], 10, "spin", 4, 8);
        Assert.Equal(Signature.Parse("remote(10)x4 localmm(10)x1 sendipi(10)x1"), events);
        Assert.Equal(4, interrupts);
        Assert.InRange(ns, 8_000, 40_000);
    }

    /// <summary>
    /// A full gather flushes at once: after 9678 pages in 6.12, after 9698 in 6.1. The 19 tables are then left for a second flush.
    /// </summary>
    [Theory]
    [InlineData("6.12", 9678, "localmm(-1)x1 localmm(18)x1")]
    [InlineData("6.12", 9677, "localmm(-1)x1")]
    [InlineData("6.1", 9697, "localmm(-1)x1")]
    [InlineData("6.1", 9698, "localmm(-1)x1 localmm(18)x1")]
    public void A_gather_is_full_at_the_size_of_its_batches(string kernel, int pages, string expected)
    {
        (Signature events, _, _) = TlbBench.Run(BenchMachine.Of(kernel)!, BenchOperation.All["munmap_iso"], pages, "none", 0, 2);
        Assert.Equal(Signature.Parse(expected), events);
    }

    /// <summary>6.18: a CPU that has gone on to another process stays in the mask, and is not asked.</summary>
    [Theory]
    [InlineData("6.12", "localmm(4)x1")]
    [InlineData("6.18", "localmm(4)x1")]
    public void Other_processes_are_not_interrupted(string kernel, string expected)
    {
        (Signature events, long interrupts, _) = TlbBench.Run(BenchMachine.Of(kernel)!, BenchOperation.All["dontneed"], 4, "spin0", 3, 8);
        Assert.Equal(Signature.Parse(expected), events);
        Assert.Equal(0, interrupts);
    }

    /// <summary>Nobody recorded this: eight pages that move while three threads run share one flush; alone each has its own.</summary>
    [Theory]
    [InlineData("none", 0, "localmm(1)x8", 0)]
    [InlineData("spin", 3, "remote(-1)x3 local(-1)x1 sendipi(-1)x1", 3)]
    public void Pages_that_move_share_a_flush_if_others_run(string mode, int helpers, string expected, long interrupts)
    {
        (Signature events, long counted, _) = TlbBench.Run(BenchMachine.Of("6.12")!, BenchOperation.All["move_pages"], 8, mode, helpers, 8);
        Assert.Equal(Signature.Parse(expected), events);
        Assert.Equal(interrupts, counted);
    }

    [Fact]
    public void The_command_names_every_row_that_is_not_exact()
    {
        (int exitCode, string output, _) = CommandRun.Of("fidelity", Repository.PathOf("tests/Shootdown.Tests/Measure/per-operation.csv"));
        Assert.Equal(0, exitCode);
        Assert.Contains("6.12      252    251          1             0             99.6 %", output, StringComparison.Ordinal);
        Assert.Equal(8, output.Split('\n').Count(line => line.StartsWith("  line ", StringComparison.Ordinal)));
        Assert.Equal(3, CommandRun.Of("fidelity", "/no/such/file.csv").ExitCode);
        Assert.Equal(64, CommandRun.Of("fidelity").ExitCode);
    }

    [Theory]
    [InlineData("", " the table is empty; expected the heading 'op,pages,mode,helpers,kernel,ncpu,TLBirq_per_op,signature_per_op'")]
    [InlineData("op,pages\n", "1: the heading has no column mode, helpers, kernel, ncpu, TLBirq_per_op, signature_per_op; expected")]
    [InlineData("op,pages,mode,helpers,kernel,ncpu,TLBirq_per_op,signature_per_op,share,median_ns\na,b\n", "2: 2 columns; expected 10, as the heading has")]
    [InlineData(
        "op,pages,mode,helpers,kernel,ncpu,TLBirq_per_op,signature_per_op,share,median_ns\nmunmap,x,none,0,6.1,8,0.00,-,1/1,\n",
        "2: pages is 'x'; expected a whole number")]
    [InlineData(
        "op,pages,mode,helpers,kernel,ncpu,TLBirq_per_op,signature_per_op,share,median_ns\nmunmap,1,none,0,6.1,8,0.00,flush(1),1/1,\n",
        "2: the event 'flush(1)' is not understood")]
    public void A_bad_table_is_named_with_its_line(string text, string message)
    {
        string path = Path.GetTempFileName();
        File.WriteAllText(path, text);
        FidelityFileException error = Assert.Throws<FidelityFileException>(() => Fidelity.Run(path));
        File.Delete(path);
        Assert.Contains($"{path}:{message}", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Columns are found by name; what is not modelled says why, and a kernel without a profile says which one stands for it.</summary>
    [Fact]
    public void A_table_of_another_campaign_is_read_as_far_as_it_goes()
    {
        string path = Path.GetTempFileName();
        File.WriteAllText(path, """
            kernel,op,pages,mode,helpers,note,ncpu,TLBirq_per_op,signature_per_op
            6.6,dontneed,3,spin,2,new,4,2,remote(3)x2 localmm(3)x1 sendipi(3)x1
            6.14.2,thp_dontneed,1,lazy,1,new,4,0,localmm(1)x1 sendipi(512)x1
            6.12,exit_mm,0,none,0,new,4,0,-
            6.12,dontneed,3,hop,2,new,4,0,-
            6.12,dontneed,3,spin,4,new,4,0,-
            6.12,dontneed,0,none,0,new,4,0,-
            6.12,thp_munmap,129,none,0,new,4,0,-
            6.12,dontneed,3,none,0,new,1000,0,-
            mine,dontneed,3,none,0,new,4,0,-

            """);
        (int exitCode, string output, _) = CommandRun.Of("fidelity", path);
        string[] reasons = [.. Fidelity.Run(path).Rows.Skip(2).Select(row => row.Reason)];
        File.Delete(path);

        Assert.Equal(0, exitCode);
        Assert.Contains("There is no profile of 6.6: its rows are predicted by the nearest, 6.1.", output, StringComparison.Ordinal);
        Assert.Contains("There is no profile of 6.14.2: its rows are predicted by the nearest, 6.18.", output, StringComparison.Ordinal);
        Assert.Contains("'mine' is no version of a kernel: its rows are not predicted.", output, StringComparison.Ordinal);
        Assert.Matches(@"6\.6 +1 +1 +0 +0 +100\.0 %", output);
        Assert.Matches(@"6\.14\.2 +1 +1 +0 +0 +100\.0 %", output);
        Assert.Equal(
            [
                "the kernel library does not have the operation",
                "the mode hop is not known; there are none, spin, spin0, lazy, sleep",
                "4 helpers on 4 CPUs: one shares the CPU of the operation",
                "the operation needs at least one page",
                "larger than the 65536 pages that the measuring program uses",
                "a machine of 1000 CPUs; 1 to 512 are modelled",
                "'mine' is no version of a kernel, e.g. 6.12",
            ],
            reasons);
    }

    /// <summary>Every cell of the measuring program's grid, recorded or not, on machines of 1 to 8 CPUs: no operation stops, each twice the same.</summary>
    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    [InlineData("6.18-fc")]
    public void Every_operation_runs_at_every_size_and_in_every_mode(string kernel)
    {
        BenchMachine system = BenchMachine.Of(kernel)!;
        foreach (BenchOperation operation in BenchOperation.All.Values)
        {
            foreach ((string mode, int helpers, int cpus) in (ReadOnlySpan<(string, int, int)>)[("none", 0, 1), ("spin", 1, 2), ("lazy", 2, 3), ("sleep", 7, 8), ("spin0", 3, 4)])
            {
                foreach (int pages in (ReadOnlySpan<int>)[1, 2, 35])
                {
                    Assert.Equal(
                        TlbBench.Run(system, operation, pages, mode, helpers, cpus), TlbBench.Run(system, operation, pages, mode, helpers, cpus));
                }
            }
        }
    }

    /// <summary>A page that is on the node already is not moved, whoever runs.</summary>
    [Fact]
    public void Pages_that_are_on_the_node_are_left_alone()
    {
        (Signature events, long interrupts, _) = TlbBench.Run(
            BenchMachine.Of("6.12")!, BenchOperation.All["move_pages"], 8, "spin", 3, 8, secondTime: true);
        Assert.True(events.IsEmpty);
        Assert.Equal(0, interrupts);
    }
}
