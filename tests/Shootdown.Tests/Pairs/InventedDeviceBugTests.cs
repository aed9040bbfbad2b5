using Shootdown.Catalogue;
using Shootdown.Check;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// As <see cref="InventedBugTests"/>, for notifiers, drivers and the end of a process: each bug shows beside one operation that runs alone.
/// </summary>
public sealed class InventedDeviceBugTests
{
    private static readonly CheckOptions Options = new() { Time = TimeSpan.FromMinutes(10), MinimiserStatesMax = 1 };

    /// <summary>The bug, the operation, the machine and the property that shows it.</summary>
    public static TheoryData<string, string, string, string> Found => new()
    {
        { "interval-start-leaves-even", "madvise-dontneed", "same-anonymous-mirror", "P-life" },
        { "interval-retry-ignored", "clear-refs", "same-anonymous-newmirror", "P-ret" },
        { "interval-begin-no-wait", "uffd-wp", "same-anonymous-mirror", "P-ret" },
        { "interval-set-seq-forgotten", "madvise-free", "same-anonymous-mirror", "P-sec" },
        { "interval-first-end-ends-all", "madvise-dontneed", "same-copyonwrite-mirror", "P-life" },
        { "interval-remove-no-wait", "clear-refs", "same-anonymous-newmirror", "assert" },
        { "interval-deferred-not-applied", "exit", "same-anonymous-newmirror", "assert" },
        { "interval-insert-looks-old", "uffd-wp", "overlapping-anonymous-newmirror", "P-ret" },
        { "interval-failure-not-ended", "oom-reap", "same-copyonwrite-mirror", "deadlock" },
        { "mirror-looks-before-begin", "writeback", "same-file-mirror", "P-write" },
        { "mirror-callback-unlocked", "truncate", "same-file-mirror", "P-sec" },
        { "mirror-keeps-tlb", "mprotect-ro", "same-anonymous-mirror", "P-ret" },
        { "mirror-unmaps-one-page", "clear-refs", "overlapping-anonymous-mirror", "P-ret" },
        { "mirror-removes-first", "clear-refs", "same-anonymous-newmirror", "P-ret" },
        { "exit-keeps-guest", "exit", "same-anonymous-guest", "P-life" },
        { "exit-releases-last", "exit", "same-anonymous-mirror", "P-life" },
        { "exit-needs-no-flush", "exit", "same-anonymous-lazy", "P-life" },
        { "oom-reaps-anyway", "oom-reap", "same-copyonwrite-mirror", "P-life" },
        { "oom-ends-what-failed", "oom-reap", "same-copyonwrite-mirror", "assert" },
        { "oom-blocks", "oom-reap", "same-anonymous-mirror", "P-atomic" },
        { "register-without-locks", "clear-refs", "same-anonymous-newguest", "assert" },
        { "unregister-no-grace-period", "clear-refs", "same-anonymous-newguest", "assert" },
        { "unregister-unlinks-first", "clear-refs", "same-anonymous-newguest", "P-ret" },
        { "bound-before-registered", "clear-refs", "same-anonymous-newdevice", "P-ret" },
        { "pasid-cleared-not-flushed", "exit", "overlapping-anonymous-device", "P-life" },
        { "ats-counted-late", "mprotect-ro", "same-anonymous-newdevice", "P-ret" },
        { "ats-before-iotlb", "clear-refs", "same-anonymous-newdevice", "P-ret" },
        { "ats-flush-first-page", "mprotect-ro", "overlapping-anonymous-device", "P-ret" },
        { "iopf-never-answered", "clear-refs", "same-anonymous-newdevice", "deadlock" },
    };

    /// <summary>
    /// What harms nobody. An exit that forgets the intervals: <c>unmap_vmas</c> tells them again, of all pages and before it removes any. An exit
    /// that does not wait for a release by an unregister: it calls release too, and KVM's second one waits under <c>mmu_lock</c> for the first.
    /// </summary>
    public static TheoryData<string, string> Missed => new()
    {
        { "exit-forgets-intervals", "exit" },
        { "exit-no-grace-period", "exit" },
    };

    [Theory]
    [MemberData(nameof(Found))]
    public void An_invented_bug_is_found(string bug, string operation, string machine, string property)
    {
        PairCell cell = Cells(operation).Single(one => one.Machine == machine);
        BugMachines.IsFound(cell, SetupOf(bug), property, Options);
    }

    [Theory]
    [MemberData(nameof(Missed))]
    public void What_is_missed_is_known(string bug, string operation)
        => Assert.All(Cells(operation), cell => Assert.Equal(Verdict.Pass, PairRun.Check(cell, SetupOf(bug), Options).Verdict));

    [Fact]
    public void Every_invented_bug_is_in_a_table()
        => Assert.Equal(
            InventedDeviceBugs.All.Select(bug => bug.Id).Order(),
            Found.Select(row => row.Data.Item1).Concat(Missed.Select(row => row.Data.Item1)).Order());

    /// <summary>A driver that a patch replaces counts as replaced: the search for larger machines knows its functions.</summary>
    [Fact]
    public void Drivers_are_parts_that_a_patch_may_replace()
    {
        KernelPatch patch = InventedDeviceBugs.All.Single(one => one.Id == "mirror-keeps-tlb");
        var search = PairSearch.Run(OperationList.All, SetupOf(patch.Id), Options with { Time = TimeSpan.Zero });
        Assert.Contains(search.Reaching, operation => operation.Id == "munmap");
    }

    private static PairSetup SetupOf(string bug) => BugMachines.Setup(InventedDeviceBugs.All, bug);

    /// <summary>The machines of an operation alone.</summary>
    private static IEnumerable<PairCell> Cells(string id)
    {
        MmOperation chosen = OperationList.All.Single(operation => operation.Id == id);
        return PairMatrix.Pairs(OperationList.All, [chosen]).Where(cell => cell.Operations.Count == 1);
    }
}
