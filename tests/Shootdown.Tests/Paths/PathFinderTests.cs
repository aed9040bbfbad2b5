using System.Text.Json;
using System.Text.RegularExpressions;
using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Tests.Cli;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Paths;

/// <summary>Which operations reach a function, and with what.</summary>
public sealed class PathFinderTests
{
    private const string RangeStart = "mmu_notifier_invalidate_range_start";

    /// <summary>"You missed truncate": with a spinlock for i_mmap_lock, truncation calls notifiers with it held; today it does not.</summary>
    [Fact]
    public void Truncation_reaches_the_notifiers_with_a_spinlock_held()
    {
        MmOperation[] truncate = [OperationList.All.Single(operation => operation.Id == "truncate")];
        PathReport spin = PathFinder.Find(RangeStart, truncate, new KernelOptions { IMmapLock = RmapLockKind.Spinlock });
        Assert.Contains(spin.Paths, path => path.IsAtomic && path.CallText.StartsWith("truncate_setsize > unmap_mapping_range > ", StringComparison.Ordinal));
        PathReport today = PathFinder.Find(RangeStart, truncate);
        Assert.NotEmpty(today.Paths);
        Assert.DoesNotContain(today.Paths, path => path.IsAtomic);
        Assert.All(today.Paths, path => Assert.Contains("i_mmap_rwsem (read)", path.HeldText, StringComparison.Ordinal));
    }

    /// <summary>zap_pte_range looks for batched flushes under the table's lock and the mmap_lock, which munmap has downgraded by then.</summary>
    [Fact]
    public void Munmap_holds_the_table_lock_where_it_looks_for_batched_flushes()
    {
        MmOperation[] munmap = [OperationList.All.Single(operation => operation.Id == "munmap")];
        PathReport report = PathFinder.Find("flush_tlb_batched_pending", munmap);
        Assert.Contains(report.Paths, path => path.HeldText == "mm.mmap_lock (read), ptl (spinlock)");
    }

    [Theory]
    [InlineData("zap_pte_range", "zap_pte_range")]
    [InlineData("ZapPteRange", "zap_pte_range")]
    [InlineData("zap_pte_range()", "zap_pte_range")]
    [InlineData("MmuNotifierInvalidateRangeStart", RangeStart)]
    [InlineData("no_such_function", null)]
    public void A_function_is_found_by_either_name(string asked, string? function) => Assert.Equal(function is null ? [] : [function], CallGraph.Library.Resolve(asked));

    [Fact]
    public void A_method_of_several_functions_means_all_of_them()
    {
        IReadOnlyList<string> meant = CallGraph.Library.Resolve("InvalidateRangeStart");
        Assert.Contains(RangeStart, meant);
        Assert.True(meant.Count > 1);
    }

    /// <summary>
    /// What the compiled code says: unmap_vmas is called from munmap, madvise and truncation. That exit_mmap has another method for processes that are
    /// measured, which no operation runs, is not said: it goes by the same name.
    /// </summary>
    [Fact]
    public void The_call_graph_knows_callers()
    {
        Assert.Contains("zap_page_range_single", CallGraph.Library.CallersOf("unmap_vmas"));
        Assert.Contains("do_munmap", CallGraph.Library.CallersOf("unmap_vmas"));
        Assert.DoesNotContain("exit_mmap", CallGraph.Library.RootsOf("unmap_vmas"));
    }

    /// <summary>What docs/json.md says of the document is what the document has.</summary>
    [Fact]
    public void Json_has_the_keys_that_are_documented()
    {
        (int exitCode, string output, _) = CommandRun.Of(host => host, "paths", "--to", "wp_page_copy", "--from", "user-store", "--json");
        Assert.Equal(0, exitCode);
        JsonElement result = JsonDocument.Parse(output).RootElement.GetProperty("result");
        string page = Repository.Read("docs/json.md");
        string section = page[page.IndexOf("`shootdown/paths/1`", StringComparison.Ordinal)..];
        string[] documented = [.. Regex.Matches(section, @"`result\.(?<key>\w+)", RegexOptions.ExplicitCapture).Select(match => match.Groups["key"].Value)];
        Assert.Equal(documented.Order(StringComparer.Ordinal), result.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal));
        string[] members = [.. result.GetProperty("paths")[0].EnumerateObject().Select(member => member.Name)];
        Assert.All(members, name => Assert.Contains($"`{name}", section, StringComparison.Ordinal));
        Assert.Contains(result.GetProperty("paths").EnumerateArray(), path => path.GetProperty("held").GetString() == "mm.mmap_lock (read)");
    }
}
