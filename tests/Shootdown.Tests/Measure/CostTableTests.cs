using Shootdown.Measure;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Measure;

/// <summary>Cost files are read with an error that names the file and the field.</summary>
public sealed class CostTableTests
{
    [Fact]
    public void The_defaults_are_the_file_of_the_repository()
    {
        CostTable read = CostTable.Read(Repository.PathOf("costs/default.json"));
        Assert.Equal(CostTable.Default.Values, read.Values);
        Assert.Equal(CostTable.Default.Description, read.Description);
    }

    [Theory]
    [InlineData("\"syscall_ns\": 123", "\"syscall_ns\": -1", "kernel.syscall_ns is the number -1; expected a whole number from 0 to 1000000000")]
    [InlineData("\"syscall_ns\": 123", "\"syscall_ns\": \"fast\"", "kernel.syscall_ns is the text \"fast\"")]
    [InlineData("\"syscall_ns\": 123,", "", "kernel.syscall_ns is missing; add it (costs/default.json has 123)")]
    [InlineData("\"syscall_ns\": 123", "\"syscal_ns\": 1, \"syscall_ns\": 123", "there is no cost kernel.syscal_ns; known are")]
    [InlineData("\"l1_entries\": 64", "\"l1_entries\": 60", "tlb.l1_entries is 60 with tlb.l1_ways 4; expected tlb.l1_ways times a power of two")]
    [InlineData("\"deliver_min_ns\": 3200", "\"deliver_min_ns\": 9999", "ipi.deliver_min_ns, deliver_median_ns and deliver_p90_ns must not decrease")]
    [InlineData("\"memory\": {", "\"memory\": [", "not JSON")]
    public void A_bad_file_is_explained(string old, string replacement, string message)
    {
        string json = Repository.Read("costs/default.json");
        Assert.Contains(old, json, StringComparison.Ordinal);
        CostFileException error = Assert.Throws<CostFileException>(
            () => CostTable.Parse("mine.json", json.Replace(old, replacement, StringComparison.Ordinal)));
        Assert.StartsWith("mine.json:", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        CostFileException error = Assert.Throws<CostFileException>(() => CostTable.Read("no-such.json"));
        Assert.Contains("no-such.json: the cost file cannot be read", error.Message, StringComparison.Ordinal);
    }
}
