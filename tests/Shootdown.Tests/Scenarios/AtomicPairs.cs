namespace Shootdown.Tests.Scenarios;

/// <summary>Scenarios about sleeping and about flags of gathers; see <see cref="ScenarioPairTests"/>.</summary>
internal static class AtomicPairs
{
    /// <summary>Scenario, bounds, states until the bug is found, states of the fix.</summary>
    public static TheoryData<string, string, long, long> Pairs => new()
    {
        { "B37", "vmas=2 policy=3", 12, 34 },
        { "B37", "vmas=3 policy=3", 16, 43 },
        { "B37", "vmas=2 policy=0", 16, 35 },
        { "B37", "vmas=2 policy=1", 16, 35 },
        { "B37", "vmas=2 policy=2", 13, 30 },
        { "B37", "vmas=2 policy=4", 16, 35 },
        { "B37", "vmas=2 policy=5", 16, 35 },
        { "B48", "cpus=2 tasks=2 pages=1", 21, 4_513 },
        { "B48", "cpus=3 tasks=2 pages=1", 25, 21_091 },
        { "B48", "cpus=2 tasks=2 pages=2", 21, 5_253 },
        { "B48b", "cpus=2 tasks=2 pages=1", 293, 4_513 },
        { "B48b", "cpus=2 tasks=2 pages=2", 335, 5_253 },
        { "B48c", "cpus=2 tasks=2 pages=1", 16, 4_389 },
        { "B48c", "cpus=2 tasks=2 pages=2", 16, 5_029 },
        { "S08", "cpus=2 notifiers=1 order=0", 10, 10 },
        { "S08", "cpus=3 notifiers=1 order=0", 20, 20 },
        { "S08", "cpus=2 notifiers=2 order=0", 14, 16 },
        { "S08", "cpus=2 notifiers=1 order=1", 12, 12 },
    };
}
