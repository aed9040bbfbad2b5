namespace Shootdown.Measure;

/// <summary>How often each CPU interrupts each other CPU.</summary>
internal sealed class HeatMap
{
    private const int CpusMax = 1024;
    private long[][] _rows = [];

    /// <summary>Counts an interrupt.</summary>
    public void Add(int from, int to)
    {
        int cpus = Math.Max(from, to) + 1;
        if (Math.Min(from, to) < 0 || cpus > CpusMax)
        {
            return;
        }

        if (cpus > _rows.Length)
        {
            _rows = [.. Rows(cpus)];
        }

        _rows[from][to]++;
    }

    /// <summary>The counts for a number of CPUs; empty if none was counted.</summary>
    public IReadOnlyList<long[]> Rows(int cpus)
    {
        cpus = Math.Min(CpusMax, Math.Max(cpus, _rows.Length));
        var grown = new long[cpus][];
        for (int cpu = 0; cpu < cpus; cpu++)
        {
            grown[cpu] = new long[cpus];
            if (cpu < _rows.Length)
            {
                _rows[cpu].CopyTo(grown[cpu], 0);
            }
        }

        return grown;
    }
}
