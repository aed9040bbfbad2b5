using System.IO.Compression;

namespace Shootdown.Measure;

/// <summary>
/// Contents of a gzip file, of several parts if files were joined. <see cref="GZipStream"/> ends silently where the file ends; this compares
/// with the lengths that the parts end with.
/// </summary>
internal sealed class GzipText(PrefixStream packed) : ForwardStream
{
    private readonly GzipParts _parts = new();
    private GZipStream? _plain;
    private uint _length;

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The contents are not as long as the file says, or damaged.</exception>
    public override int Read(Span<byte> buffer)
    {
        _plain ??= new GZipStream(new WatchedStream(packed, _parts), CompressionMode.Decompress);
        int count = _plain.Read(buffer);
        _length += (uint)count;
        if (count > 0 || buffer.IsEmpty)
        {
            return count;
        }

        Span<byte> rest = stackalloc byte[256];
        for (int more = packed.Read(rest); more > 0; more = packed.Read(rest))
        {
            _parts.Add(rest[..more]);
        }

        return _parts.CanHave(_length) ? 0
            : throw new InvalidDataException("the compressed file is cut off (or joined of more than 12): its length is not that of its contents");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _plain?.Dispose();
            packed.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Shows what is read to the list of parts.</summary>
    private sealed class WatchedStream(PrefixStream inner, GzipParts parts) : ForwardStream
    {
        public override int Read(Span<byte> buffer)
        {
            int count = inner.Read(buffer);
            parts.Add(buffer[..count]);
            return count;
        }
    }
}
