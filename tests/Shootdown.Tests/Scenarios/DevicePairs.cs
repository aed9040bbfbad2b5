namespace Shootdown.Tests.Scenarios;

/// <summary>
/// Scenarios with devices that share the CPUs' page tables, for <see cref="ScenarioPairTests"/>: scenario, bounds, states until the
/// bug is found, states of the fix.
/// </summary>
internal static class DevicePairs
{
    public static TheoryData<string, string, long, long> Pairs => new()
    {
        { "B41", "cpus=2 pages=1", 26, 47 },
        { "B41", "cpus=3 pages=1", 98, 209 },
        { "B41", "cpus=2 pages=2", 89, 339 },
        { "B42", "cpus=1 pages=1 api=0", 3, 7 },
        { "B42", "cpus=1 pages=1 api=1", 3, 7 },
        { "B42", "cpus=2 pages=1 api=0", 15, 45 },
        { "B42", "cpus=1 pages=2 api=0", 8, 23 },
        { "B43", "ats=0", 272, 2_519 },
        { "B43", "ats=1", 365, 5_589 },
        { "B44", "cpus=1 pages=2 ats=0", 14, 22 },
        { "B44", "cpus=1 pages=2 ats=1", 20, 34 },
        { "B44", "cpus=2 pages=2 ats=0", 27, 199 },
        { "B44", "cpus=1 pages=3 ats=0", 18, 40 },
        { "B45", "cpus=1 pages=2 ats=0", 16, 27 },
        { "B45", "cpus=1 pages=2 ats=1", 20, 39 },
        { "B45", "cpus=2 pages=2 ats=0", 42, 124 },
        { "B45", "cpus=1 pages=3 ats=0", 22, 52 },
        { "B49", "cpus=1 pages=1", 4, 6 },
        { "B49", "cpus=2 pages=1", 10, 16 },
        { "B49", "cpus=1 pages=2", 5, 7 },
        { "S09", "cpus=2 pages=1 order=0", 61, 102 },
        { "S09", "cpus=2 pages=1 order=1", 16, 49 },
        { "S09", "cpus=2 pages=1 order=2", 20, 49 },
        { "S09", "cpus=3 pages=1 order=0", 68, 463 },
        { "S09", "cpus=2 pages=2 order=0", 88, 184 },
        { "S10", "cpus=2 pages=2", 379, 439 },
        { "S10", "cpus=3 pages=2", 2_822, 3_064 },
        { "S10", "cpus=2 pages=3", 575, 743 },
    };
}
