using System.Diagnostics;

namespace Shootdown.Measure;

/// <summary>Two threads on one CPU that send a byte to and fro: two context switches a round.</summary>
internal sealed unsafe class PipePair
{
    private readonly int[] _there = new int[2];
    private readonly int[] _back = new int[2];
    private bool _isStarted;

    /// <summary>One round, in nanoseconds.</summary>
    public long RoundTrip()
    {
        if (!_isStarted)
        {
            Start();
        }

        byte token = 1;
        long start = Stopwatch.GetTimestamp();
        _ = LinuxCalls.Write(_there[1], &token, 1);
        _ = LinuxCalls.Read(_back[0], &token, 1);
        return Calibration.Nanoseconds(Stopwatch.GetTimestamp() - start);
    }

    private void Start()
    {
        _isStarted = true;
        fixed (int* there = _there)
        fixed (int* back = _back)
        {
            if (LinuxCalls.Pipe(there) != 0 || LinuxCalls.Pipe(back) != 0)
            {
                throw new InvalidOperationException("pipe failed");
            }
        }

        // A new thread inherits the affinity of its creator. It ends with the process, as its pipes do.
        var echo = new Thread(() =>
        {
            byte token;
            while (LinuxCalls.Read(_there[0], &token, 1) == 1)
            {
                _ = LinuxCalls.Write(_back[1], &token, 1);
            }
        })
        { IsBackground = true };
        echo.Start();
    }
}
