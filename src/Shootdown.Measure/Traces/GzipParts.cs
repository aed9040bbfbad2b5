using System.Buffers.Binary;

namespace Shootdown.Measure;

/// <summary>
/// Lengths that the parts of a gzip file end with (RFC 1952, ISIZE). A part ends where another begins or the file does; bytes within a part
/// may look like a beginning, so that several lengths of the whole are possible.
/// </summary>
internal sealed class GzipParts
{
    /// <summary>Bytes of a header that are known: magic number, deflate, and flags below 32.</summary>
    private const int HeaderBytes = 4;

    private const int LengthBytes = sizeof(uint);

    /// <summary>Sums that are kept: more parts than 2 to the power of 12 would give are not told from damage.</summary>
    private const int SumsMax = 1 << 12;

    /// <summary>Lengths that all parts before the last may have together.</summary>
    private readonly HashSet<uint> _sums = [0];
    private readonly byte[] _last = new byte[LengthBytes + HeaderBytes];
    private int _known;

    /// <summary>The next bytes of the file.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        Span<byte> joint = stackalloc byte[2 * (LengthBytes + HeaderBytes)];
        int kept = Math.Min(_known, HeaderBytes + LengthBytes - 1);
        _last.AsSpan(_known - kept, kept).CopyTo(joint);
        int head = Math.Min(bytes.Length, HeaderBytes + LengthBytes - 1);
        bytes[..head].CopyTo(joint[kept..]);
        Find(joint[..(kept + head)]);
        Find(bytes);
        Keep(bytes);
    }

    /// <summary>True if the contents of all parts can have a length, counted modulo 2 to the power of 32.</summary>
    public bool CanHave(uint length)
    {
        uint tail = _known < LengthBytes ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(_last.AsSpan(_known - LengthBytes));
        return _sums.Contains(length - tail);
    }

    private void Find(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> begin = [0x1f, 0x8b, 0x08];
        for (int from = LengthBytes; from + HeaderBytes <= bytes.Length;)
        {
            int at = bytes[from..].IndexOf(begin);
            if (at < 0)
            {
                return;
            }

            at += from;
            from = at + 1;
            if (at + HeaderBytes <= bytes.Length && bytes[at + HeaderBytes - 1] < 32 && _sums.Count < SumsMax)
            {
                uint size = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at - LengthBytes)..]);
                _sums.UnionWith([.. _sums.Select(sum => sum + size)]);
            }
        }
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= _last.Length)
        {
            bytes[^_last.Length..].CopyTo(_last);
            _known = _last.Length;
            return;
        }

        int kept = Math.Min(_known, _last.Length - bytes.Length);
        _last.AsSpan(_known - kept, kept).CopyTo(_last);
        bytes.CopyTo(_last.AsSpan(kept));
        _known = kept + bytes.Length;
    }
}
