using System.Globalization;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Notifiers;

/// <summary>
/// Scenarios of secondary MMUs: the bug is found, the fix passes, at two sizes, with exact counts; and no shortcut changes a verdict.
/// </summary>
public sealed class NotifierScenarioTests
{
    /// <summary>Scenario, bounds, states until the bug is found, states of the fix.</summary>
    public static TheoryData<string, string, long, long> Pairs => new()
    {
        { "start-only-driver-refault", "cpus=2 pages=1", 55, 128 },
        { "start-only-driver-refault", "cpus=3 pages=1", 690, 1_363 },
        { "start-only-driver-refault", "cpus=2 pages=2", 137, 356 },
        { "kvm-seq-snapshot-order", "cpus=2 pages=2", 84, 103 },
        { "kvm-seq-snapshot-order", "cpus=3 pages=2", 291, 415 },
        { "kvm-seq-snapshot-order", "cpus=2 pages=3", 148, 186 },
        { "kvm-pfncache-count", "cpus=2 pages=1", 147, 289 },
        { "kvm-pfncache-count", "cpus=3 pages=1", 1_445, 2_929 },
        { "notifier-unlinked-first", "cpus=2 pages=1", 37, 139 },
        { "interval-retry-unlocked", "cpus=2 pages=1", 99, 125 },
        { "interval-retry-unlocked", "cpus=3 pages=1", 976, 1_123 },
        { "interval-retry-unlocked", "cpus=2 pages=2", 192, 347 },
        { "interval-insert-during-invalidation", "cpus=2 pages=1", 67, 182 },
        { "interval-insert-during-invalidation", "cpus=3 pages=1", 645, 1_739 },
        { "interval-insert-during-invalidation", "cpus=2 pages=2", 156, 490 },
        { "nonblock-start-leaves-intervals", "cpus=2 pages=1", 38, 96 },
        { "nonblock-start-leaves-intervals", "cpus=3 pages=1", 326, 631 },
        { "nonblock-start-leaves-intervals", "cpus=2 pages=2", 66, 226 },
        { "change-pte-in-vain", "cpus=2 alone=0", 3, 90 },
        { "change-pte-in-vain", "cpus=3 alone=0", 31, 1346 },
        { "change-pte-uncounted", "cpus=2 range=0", 54, 155 },
        { "change-pte-uncounted", "cpus=3 range=0", 488, 2_923 },
        { "change-pte-order", "range=0", 22, 119 },
        { "change-pte-maps", "cpus=2 form=0", 623, 1_168 },
        { "hugetlb-unshare-lazy", "cpus=3 pages=1", 58, 568 },
        { "hugetlb-unshare-lazy", "cpus=4 pages=1", 95, 1_668 },
        { "invalidate-page-of-huge-page", "pages=2 interface=0", 9, 62 },
        { "invalidate-page-of-huge-page", "pages=3 interface=0", 11, 100 },
        { "reclaim-under-driver-lock", "cpus=1 pages=1", 1, 5 },
        { "reclaim-under-driver-lock", "cpus=2 pages=1", 10, 1_224 },
    };

    public static TheoryData<string> Ids => [.. Pairs.Select(row => row.Data.Item1).Distinct()];

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Bug_is_found_and_fix_passes(string id, string bounds, long bugStates, long fixStates)
    {
        CheckReport bug = Run(id, Variant.Bug, bounds);
        Assert.Equal((Verdict.Violation, Find(id).Property), (bug.Verdict, bug.Counterexample!.PropertyId));
        CheckReport fix = Run(id, Variant.Fix, bounds);
        Assert.Equal((Verdict.Pass, string.Empty), (fix.Verdict, fix.Reason));
        Assert.Equal((bugStates, fixStates), (bug.Stats.States, fix.Stats.States));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void No_shortcut_changes_a_verdict(string id)
    {
        foreach (Variant variant in Find(id).Variants)
        {
            Verdict expected = Run(id, variant, string.Empty).Verdict;
            Assert.Equal(expected, Run(id, variant, string.Empty, reduction: false).Verdict);
            Assert.Equal(expected, Run(id, variant, string.Empty, TlbKind.Explicit).Verdict);
            Assert.Equal(expected, Run(id, variant, string.Empty, model: MemoryModelKind.X86Tso).Verdict);
        }
    }

    private static Scenario Find(string id) => ScenarioList.All.Single(candidate => candidate.Id == id);

    private static CheckReport Run(
        string id, Variant variant, string bounds, TlbKind tlb = TlbKind.Lagging, bool reduction = true, MemoryModelKind model = MemoryModelKind.Sc)
    {
        Scenario scenario = Find(id);
        var values = scenario.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Default);
        foreach (string bound in bounds.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = bound.Split('=');
            values[parts[0]] = int.Parse(parts[1], CultureInfo.InvariantCulture);
        }

        var options = new CheckOptions { Workers = 1, Reduction = reduction, MinimiserStatesMax = 1_000 };
        return ScenarioCheck.Run(scenario, new ScenarioSetup(variant, model, tlb, values), options);
    }
}
