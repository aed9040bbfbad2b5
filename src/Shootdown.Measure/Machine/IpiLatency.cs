namespace Shootdown.Measure;

/// <summary>
/// How long an interrupt takes from sending to the first instruction of its handler: the minimum plus an exponential part up to the
/// 90th percentile that is given, with a fixed seed (SplitMix64).
/// </summary>
internal sealed class IpiLatency
{
    private readonly double _minimum;
    private readonly double _median;
    private readonly double _p90;
    private ulong _state;

    internal IpiLatency(CostTable costs, ulong seed)
    {
        _minimum = costs["ipi.deliver_min_ns"];
        _median = costs["ipi.deliver_median_ns"];
        _p90 = costs["ipi.deliver_p90_ns"];
        _state = seed;
    }

    /// <summary>Nanoseconds of the next interrupt.</summary>
    internal int Next()
    {
        _state += 0x9e3779b97f4a7c15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        double u = ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));

        // Linear from the minimum to the median and on to the 90th percentile, then a tail of the same slope.
        return (int)(u < 0.5 ? _minimum + (2 * u * (_median - _minimum)) : _median + ((u - 0.5) / 0.4 * (_p90 - _median)));
    }
}
