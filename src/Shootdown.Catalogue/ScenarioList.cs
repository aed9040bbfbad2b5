namespace Shootdown.Catalogue;

/// <summary>All scenarios of the catalogue.</summary>
public static class ScenarioList
{
    /// <summary>
    /// In the order of their catalogue numbers, then the programs that are compared with other tools.
    /// </summary>
    public static IReadOnlyList<Scenario> All { get; } =
    [
        new TtuBatchVsMprotect(),
        new MadvDontneedParallel(),
        new SwitchMmFlushBarrier(),
        new GenDeferWithoutIncrement(),
        new GenZeroMeansOld(),
        new GenPartialOutOfOrder(),
        new LazyTlbFreedTables(),
        new SwitchingWindowSkip(),
        new KthreadUseMmIpi(),
        new ArmAsidVersionSwitch(),
        new Arm64TtuVsAsidRead(),
        new KvmPvFlushBitLost(),
        new RcuTableFreeNoInvalidate(),
        new Arm64WalkCacheEarlyFree(),
        new CollapseFlushSkipsLazy(),
        new PaeTopLevelCached(),
        new S390FullmmSpeculativeFill(),
        new OpenBsdPmapCpuBit(),
        new XenPcidFlushThenSwitch(),
        new CpaLargePageSplit(),
        new TlbDefer(),
        new Sb(),
        new Ninc(),
        new Ainc(),
        new Readers(),
        new LastZero(),
        new Indexer(),
        new Ticket(),
        new Seqlock(),
        new Treiber(),
        new TlbRace(),
    ];

    /// <summary>The scenario with this id or catalogue number, in any case; null if there is none.</summary>
    public static Scenario? Find(string idOrNumber)
        => All.FirstOrDefault(scenario => Same(scenario.Id, idOrNumber)
            || (scenario.Number.Length > 0 && Same(scenario.Number, idOrNumber)));

    /// <summary>The id that looks most like what was asked for: for "did you mean".</summary>
    public static string Nearest(string idOrNumber)
    {
        ArgumentNullException.ThrowIfNull(idOrNumber);
        string asked = idOrNumber.ToLowerInvariant();
        return All.MinBy(scenario =>
            Math.Min(Distance(asked, scenario.Id), Distance(asked, scenario.Number.ToLowerInvariant())))!.Id;
    }

    private static bool Same(string name, string asked)
        => string.Equals(name, asked, StringComparison.OrdinalIgnoreCase);

    /// <summary>Levenshtein distance.</summary>
    private static int Distance(string from, string to)
    {
        int[] row = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[^1];
    }
}
