using System.Buffers;

namespace Shootdown.Measure;

/// <summary>Lines of a stream, as bytes of one buffer: no line is copied, memory does not grow with the input.</summary>
public sealed class TraceLines(Stream input) : IDisposable
{
    /// <summary>Bytes of a line that are kept; the rest is dropped and <see cref="IsCut"/> says so.</summary>
    public const int LengthMax = 1 << 16;

    private const int BufferBytes = 4 * LengthMax;

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _start;
    private int _end;
    private bool _atEnd;
    private bool _isBegun;

    /// <summary>Number of the line that was read last, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>True if the line was longer than <see cref="LengthMax"/>.</summary>
    public bool IsCut { get; private set; }

    /// <summary>True if the line that was read last has no line end: the input stopped within it.</summary>
    public bool IsUnfinished { get; private set; }

    /// <summary>What the input's reader said when it failed; null if it ended as it should.</summary>
    public string? ReadError { get; private set; }

    /// <summary>The first bytes of the input, before any line was read.</summary>
    public ReadOnlySpan<byte> Peek()
    {
        while (_end < LengthMax && Fill())
        {
        }

        // Editors of other systems put a byte order mark before the first line.
        ReadOnlySpan<byte> mark = [0xef, 0xbb, 0xbf];
        if (!_isBegun && _buffer.AsSpan(_start, _end - _start).StartsWith(mark))
        {
            _start += mark.Length;
        }

        _isBegun = true;
        return _buffer.AsSpan(_start, _end - _start);
    }

    /// <summary>The next line without its end; false at the end of the input.</summary>
    public bool TryRead(out ReadOnlySpan<byte> line)
    {
        IsCut = false;
        int scanned = 0;
        while (true)
        {
            int length = _buffer.AsSpan(_start + scanned, _end - _start - scanned).IndexOf((byte)'\n');
            if (length >= 0)
            {
                length += scanned;
                line = Line(length, next: _start + length + 1);
                return true;
            }

            scanned = _end - _start;
            if (scanned > LengthMax)
            {
                // Keep the beginning; throw the rest of the line away.
                scanned = LengthMax;
                _end = _start + LengthMax;
                IsCut = true;
            }

            if (!Fill())
            {
                break;
            }
        }

        IsUnfinished = _end > _start;
        line = IsUnfinished ? Line(_end - _start, next: _end) : default;
        return IsUnfinished;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        input.Dispose();
    }

    private ReadOnlySpan<byte> Line(int length, int next)
    {
        ReadOnlySpan<byte> line = _buffer.AsSpan(_start, Math.Min(length, LengthMax));
        IsCut |= length > LengthMax;
        _start = next;
        Number++;
        return line.Length > 0 && line[^1] == '\r' ? line[..^1] : line;
    }

    /// <summary>Reads more behind what is there; false at the end.</summary>
    private bool Fill()
    {
        if (_atEnd)
        {
            return false;
        }

        if (_start > 0 && _end + LengthMax > BufferBytes)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        int count = 0;
        try
        {
            count = input.Read(_buffer, _end, BufferBytes - _end);
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException)
        {
            ReadError = exception.Message;
        }

        _atEnd = count == 0;
        _end += count;
        return count > 0;
    }
}
