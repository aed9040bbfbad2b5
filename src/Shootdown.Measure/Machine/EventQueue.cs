namespace Shootdown.Measure;

/// <summary>When each CPU goes on: at most one time a CPU. Equal times are taken in order of CPU number, so that runs repeat.</summary>
internal sealed class EventQueue(int cpus)
{
    private readonly int[] _heap = new int[cpus];
    private readonly int[] _position = [.. Enumerable.Repeat(-1, cpus)];
    private readonly long[] _time = new long[cpus];

    internal int Count { get; private set; }

    /// <summary>The earliest time; <see cref="long.MaxValue"/> if nothing will happen. Asked at every lock.</summary>
    internal long NextTime { get; private set; } = long.MaxValue;

    internal bool Contains(int cpu) => _position[cpu] >= 0;

    internal void Set(int cpu, long time)
    {
        if (_position[cpu] >= 0)
        {
            throw new InvalidOperationException($"CPU{cpu} waits for two things at a time");
        }

        _time[cpu] = time;
        _heap[Count] = cpu;
        _position[cpu] = Count;
        Up(Count++);
        NextTime = _time[_heap[0]];
    }

    internal int Take(out long time)
    {
        int cpu = _heap[0];
        time = _time[cpu];
        _position[cpu] = -1;
        int last = _heap[--Count];
        if (Count > 0)
        {
            _heap[0] = last;
            _position[last] = 0;
            Down(0);
        }

        NextTime = Count == 0 ? long.MaxValue : _time[_heap[0]];

        return cpu;
    }

    private bool IsBefore(int a, int b) => _time[a] < _time[b] || (_time[a] == _time[b] && a < b);

    private void Up(int at)
    {
        while (at > 0 && IsBefore(_heap[at], _heap[(at - 1) / 2]))
        {
            Swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    private void Down(int at)
    {
        while (true)
        {
            int least = at;
            for (int child = (2 * at) + 1; child <= (2 * at) + 2 && child < Count; child++)
            {
                least = IsBefore(_heap[child], _heap[least]) ? child : least;
            }

            if (least == at)
            {
                return;
            }

            Swap(at, least);
            at = least;
        }
    }

    private void Swap(int a, int b)
    {
        (_heap[a], _heap[b]) = (_heap[b], _heap[a]);
        _position[_heap[a]] = a;
        _position[_heap[b]] = b;
    }
}
