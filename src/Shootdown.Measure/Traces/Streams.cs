using System.IO.Compression;

namespace Shootdown.Measure;

/// <summary>A stream whose first bytes can be looked at before it is read.</summary>
internal sealed class PrefixStream : ForwardStream
{
    private const int PrefixBytes = 16;
    private readonly Stream _inner;
    private readonly byte[] _prefix = new byte[PrefixBytes];
    private readonly int _length;
    private int _position;
    private uint _tail;

    /// <summary>Reads the first bytes.</summary>
    public PrefixStream(Stream inner)
    {
        _inner = inner;
        _length = inner.ReadAtLeast(_prefix, PrefixBytes, throwOnEndOfStream: false);
    }

    /// <summary>The first bytes.</summary>
    public ReadOnlySpan<byte> Prefix => _prefix.AsSpan(0, _length);

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int rest = Math.Min(_length - _position, buffer.Length);
        if (rest > 0)
        {
            _prefix.AsSpan(_position, rest).CopyTo(buffer);
            _position += rest;
            return Noted(buffer, rest);
        }

        return Noted(buffer, _inner.Read(buffer));
    }

    /// <summary>The last four bytes that were read, as a little-endian number: what gzip says is the length of its contents.</summary>
    public uint Tail => _tail;

    private int Noted(ReadOnlySpan<byte> buffer, int count)
    {
        foreach (byte next in buffer[Math.Max(0, count - sizeof(uint))..count])
        {
            _tail = (_tail >> 8) | ((uint)next << 24);
        }

        return count;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _inner.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>
/// Contents of a gzip file. <see cref="GZipStream"/> ends silently where the file ends; this compares with the length at its
/// end.
/// </summary>
internal sealed class GzipText(PrefixStream packed) : ForwardStream
{
    private readonly GZipStream _plain = new(packed, CompressionMode.Decompress);
    private uint _length;

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The contents are not as long as the file says, or damaged.</exception>
    public override int Read(Span<byte> buffer)
    {
        int count = _plain.Read(buffer);
        _length += (uint)count;
        if (count > 0 || buffer.IsEmpty)
        {
            return count;
        }

        Span<byte> rest = stackalloc byte[256];
        while (packed.Read(rest) > 0)
        {
        }

        return packed.Tail == _length
            ? 0
            : throw new InvalidDataException("the compressed file is cut off (or several were joined): its length is not that of its contents");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _plain.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>A stream that is only read, from its beginning to its end.</summary>
internal abstract class ForwardStream : Stream
{
    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public abstract override int Read(Span<byte> buffer);

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
