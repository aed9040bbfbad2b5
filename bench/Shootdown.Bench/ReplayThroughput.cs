using System.Globalization;
using System.IO.Compression;
using Shootdown.Measure;

namespace Shootdown.Bench;

/// <summary>
/// How fast a trace is replayed, and in how much memory: the file once, and twenty times over as one longer recording. Without a file:
/// the recording of the guide.
/// </summary>
internal static class ReplayThroughput
{
    private const int Repetitions = 3;
    private const int TimesOver = 20;
    private const double BytesPerMegabyte = 1 << 20;

    /// <summary>Prints the table; arguments are traces.</summary>
    public static int Run(string[] files)
    {
        string[] traces = files.Length > 0 ? files : ["examples/mix4.trace-cmd.txt.gz"];
        Console.WriteLine("trace                              times     events   CPU s    events/s   live MB");
        foreach (string trace in traces)
        {
            if (!File.Exists(trace))
            {
                Console.Error.WriteLine($"{trace}: no such file; run from the root of the repository, or name traces");
                return 2;
            }

            byte[] text = Read(trace);
            Replay(text, 1);
            Measure(trace, text, 1);
            Measure(trace, text, TimesOver);
        }

        return 0;
    }

    private static void Measure(string trace, byte[] text, int times)
    {
        (long Events, double Seconds, double Megabytes)[] runs = [.. Enumerable.Range(0, Repetitions).Select(_ => Replay(text, times))];
        (long events, double seconds, double megabytes) = runs.OrderBy(run => run.Seconds).ElementAt(Repetitions / 2);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Path.GetFileName(trace),-34} {times,5} {events,10} {seconds,7:0.00} {events / seconds,11:0} {megabytes,9:0.0}"));
    }

    /// <summary>Live memory is what a collection in the middle of the last round leaves, without the text itself.</summary>
    private static (long Events, double Seconds, double Megabytes) Replay(byte[] text, int times)
    {
        long before = GC.GetTotalMemory(true);
        long during = before;
        TimeSpan collecting = default;
        void Look()
        {
            TimeSpan begin = Environment.CpuUsage.TotalTime;
            during = GC.GetTotalMemory(true);
            collecting = Environment.CpuUsage.TotalTime - begin;
        }

        using TraceReader reader = TraceReader.Open(new RepeatedStream(text, times, Look), "bench");
        TimeSpan start = Environment.CpuUsage.TotalTime;
        ReplayReport report = Replayer.Run(reader, "bench", new ReplayOptions());
        double seconds = (Environment.CpuUsage.TotalTime - start - collecting).TotalSeconds;
        return (report.Events, seconds, (during - before) / BytesPerMegabyte);
    }

    private static byte[] Read(string trace)
    {
        using FileStream file = File.OpenRead(trace);
        using Stream plain = trace.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var copy = new MemoryStream();
        plain.CopyTo(copy);
        return copy.ToArray();
    }

    /// <summary>The same bytes several times over.</summary>
    private sealed class RepeatedStream(byte[] bytes, int times, Action look) : Stream
    {
        private long _position;
        private bool _looked;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => _position;
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (_position >= (long)bytes.Length * times)
            {
                return 0;
            }

            if (!_looked && _position >= ((long)bytes.Length * times) - (bytes.Length / 2))
            {
                _looked = true;
                look();
            }

            int at = (int)(_position % bytes.Length);
            int part = Math.Min(count, bytes.Length - at);
            Array.Copy(bytes, at, buffer, offset, part);
            _position += part;
            return part;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
