namespace Shootdown.Measure;

/// <summary>A stream whose first bytes can be looked at before it is read.</summary>
internal sealed class PrefixStream : ForwardStream
{
    private const int PrefixBytes = 16;
    private readonly Stream _inner;
    private readonly byte[] _prefix = new byte[PrefixBytes];
    private readonly int _length;
    private int _position;

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
            return rest;
        }

        return _inner.Read(buffer);
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
