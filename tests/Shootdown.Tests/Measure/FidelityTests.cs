using Shootdown.Measure;
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

    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    public void Nearly_all_rows_are_exact(string kernel)
    {
        int exact = Result.Value.Count(FidelityVerdict.Exact, kernel);
        int different = Result.Value.Count(FidelityVerdict.Different, kernel);
        Assert.True(exact >= 230, $"{exact} exact rows");
        Assert.True(different <= 1, string.Join('\n', Result.Value.Rows.Where(row => row.Verdict == FidelityVerdict.Different).Select(row => row.Reason)));
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
        (Signature events, long interrupts, long ns) = TlbBench.Run(TimedProfile.Linux612, BenchOperation.All["munmap_iso"], 10, "spin", 4, 8);
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
        (Signature events, _, _) = TlbBench.Run(TimedProfile.Find(kernel)!, BenchOperation.All["munmap_iso"], pages, "none", 0, 2);
        Assert.Equal(Signature.Parse(expected), events);
    }

    [Theory]
    [InlineData("op,pages\n", "1: expected the heading")]
    [InlineData("op,pages,mode,helpers,kernel,ncpu,TLBirq_per_op,signature_per_op,share,median_ns\na,b\n", "2: 2 columns; expected 10")]
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
}
