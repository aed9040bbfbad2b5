namespace Shootdown.Tests.Scenarios;

/// <summary>
/// Scenarios on lockless pins, collapse, copy-on-write and shared tables, for <see cref="ScenarioPairTests"/>: scenario, bounds, states
/// until the bug is found, states of the fix.
/// </summary>
internal static class PinPairs
{
    public static TheoryData<string, string, long, long> Pairs => new()
    {
        { "B32", "cpus=2 pages=1 cover=0", 44, 71 },
        { "B32", "cpus=2 pages=1 cover=1", 44, 60 },
        { "B32", "cpus=2 pages=1 cover=2", 44, 52 },
        { "B32", "cpus=2 pages=1 cover=3", 44, 64 },
        { "B32", "cpus=3 pages=1 cover=0", 165, 889 },
        { "B32", "cpus=2 pages=2 cover=0", 45, 76 },
        { "B33", "cpus=2 pages=1 path=0", 29, 149 },
        { "B33", "cpus=2 pages=1 path=1", 15, 88 },
        { "B33", "cpus=3 pages=1 path=0", 89, 2_298 },
        { "B33", "cpus=3 pages=1 path=1", 34, 1_879 },
        { "B33", "cpus=2 pages=2 path=0", 27, 154 },
        { "B35", "cpus=3 pages=1", 11, 68 },
        { "B35", "cpus=3 pages=2", 20, 140 },
        { "B38", "cpus=2 pages=1 order=0", 54, 74 },
        { "B38", "cpus=2 pages=1 order=1", 53, 74 },
        { "B39", "cpus=2 pages=1", 724, 909 },
        { "B39", "cpus=2 pages=2", 935, 1_530 },
        { "B40", "cpus=2 pages=1 cve=0", 17, 88 },
        { "B40", "cpus=2 pages=2 cve=0", 23, 88 },
        { "B40", "cpus=2 pages=1 cve=1", 107, 139 },
        { "B40", "cpus=2 pages=2 cve=1", 227, 261 },
        { "B40", "cpus=3 pages=1 cve=1", 361, 482 },
    };
}
