using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Runs of the 2010 kernel for the items of seed 004.</summary>
internal static class Runs2010
{
    /// <summary>The design that the mail proposes: SRCU, and range_start before the gather.</summary>
    internal static Design2010 Proposed { get; } = new() { NotifierFirst = true };

    /// <summary>All locks sleep, rmap uses the range functions: what sleeping anywhere takes.</summary>
    internal static Design2010 SleepsEverywhere { get; } = new()
    {
        NotifierFirst = true,
        IMmapSleeps = true,
        AnonVmaSleeps = true,
        RmapUsesRange = true,
    };

    /// <summary>Processes on two CPUs, each making one of the calls, judged by P-atomic.</summary>
    internal static SeedRun Atomic(string name, Design2010 design, int pages, params Call2010[] calls)
        => SeedRun.OfModel(name, Key(design, pages, calls), () => Build(design, pages, false, calls, new PAtomic()));

    /// <summary>The same on a kernel that lets sleeping in atomic context through; judged by P-life.</summary>
    internal static SeedRun Life(string name, Design2010 design, int pages, params Call2010[] calls)
        => SeedRun.OfModel(name, Key(design, pages, calls) + ", which lets sleeping through", () => Build(design, pages, true, calls, new PLife()));

    /// <summary>A row of a table: what is chosen, and what the runs say.</summary>
    internal static IReadOnlyList<string> Row(SeedResults results, string head, params string[] runs)
        => [head, .. runs.Select(run => results[run].Cell)];

    private static string Key(Design2010 design, int pages, Call2010[] calls)
        => $"{string.Join(" x ", calls).ToLowerInvariant()}, {(pages == 1 ? "1 page" : $"{pages} pages")}, {design}";

    private static CheckModel Build(Design2010 design, int pages, bool letsThrough, Call2010[] calls, Property property)
    {
        var stage = Stage2010.Make(design, 2, calls.Length, pages, letsThrough, TlbKind.Lagging);
        for (int i = 0; i < calls.Length; i++)
        {
            stage.AddProcess($"{(char)('A' + i)}: {calls[i].ToString().ToLowerInvariant()}", calls[i]);
        }

        return stage.ToModel(property);
    }
}
