namespace Shootdown.Measure;

/// <summary>Counts by CPU and time in a fixed number of buckets: when the time outgrows them, neighbours are joined.</summary>
internal sealed class Timeline
{
    /// <summary>Buckets.</summary>
    public const int Buckets = 512;

    private const int CpusMax = 1024;
    private readonly List<long[]> _sent = [];
    private readonly List<long[]> _received = [];
    private long _start = -1;
    private long _width = 1000;

    /// <summary>The counts.</summary>
    public TimelineData Data => new(Math.Max(0, _start), _width, _sent, _received);

    /// <summary>Counts an event; older than the first one, it counts as the first.</summary>
    public void Add(long timeNs, int cpu, bool isSent)
    {
        if (cpu is < 0 or >= CpusMax)
        {
            return;
        }

        if (_start < 0)
        {
            _start = timeNs;
        }

        long offset = Math.Max(0, timeNs - _start);
        while (offset / _width >= Buckets)
        {
            Halve(_sent);
            Halve(_received);
            _width *= 2;
        }

        while (_sent.Count <= cpu)
        {
            _sent.Add(new long[Buckets]);
            _received.Add(new long[Buckets]);
        }

        (isSent ? _sent : _received)[cpu][offset / _width]++;
    }

    private static void Halve(List<long[]> counts)
    {
        foreach (long[] row in counts)
        {
            for (int i = 0; i < Buckets / 2; i++)
            {
                row[i] = row[2 * i] + row[2 * i + 1];
            }

            Array.Clear(row, Buckets / 2, Buckets / 2);
        }
    }
}
