using System.Globalization;

namespace Shootdown.Measure;

/// <summary>What an area maps.</summary>
public enum AreaKind : byte
{
    /// <summary>Private memory without file.</summary>
    Anonymous,

    /// <summary>A private mapping of a file.</summary>
    PrivateFile,

    /// <summary>A shared mapping of a file.</summary>
    Shared,

    /// <summary>Shared memory without file (shmem): writable entries need no fault that tells of the first write.</summary>
    SharedMemory,
}

/// <summary>An area of a process when the recording began, a line of <c>/proc/PID/maps</c>.</summary>
/// <param name="Pid">The process.</param>
/// <param name="First">Address of its first byte.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Protection">As mmap takes it: 1 read, 2 write, 4 execute.</param>
/// <param name="Kind">What it maps.</param>
public readonly record struct RecordedArea(int Pid, long First, long Bytes, int Protection, AreaKind Kind)
{
    private static readonly byte[][] Kinds = ["anonymous"u8.ToArray(), "file"u8.ToArray(), "shared"u8.ToArray(), "shmem"u8.ToArray()];

    /// <summary>As a recording has it, behind <c># shootdown</c>.</summary>
    public override string ToString()
        => string.Create(
            CultureInfo.InvariantCulture,
            $"area pid={Pid} addr=0x{First:x} len=0x{Bytes:x} prot={Protection} kind={System.Text.Encoding.ASCII.GetString(Kinds[(int)Kind])}");

    /// <summary>Reads it; false if the line is none of an area.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> fields, out RecordedArea area)
    {
        area = default;
        ReadOnlySpan<byte> kindText = ByteText.Field(fields, "kind"u8);
        int kind = -1;
        for (int i = 0; i < Kinds.Length; i++)
        {
            kind = kindText.SequenceEqual(Kinds[i]) ? i : kind;
        }

        if (kind < 0 || !ByteText.TryField(fields, "pid"u8, out long pid) || (int)pid != pid
            || !ByteText.TryField(fields, "addr"u8, out long first) || !ByteText.TryField(fields, "len"u8, out long bytes)
            || !ByteText.TryField(fields, "prot"u8, out long protection) || first < 0 || bytes <= 0 || first + bytes < 0)
        {
            return false;
        }

        area = new RecordedArea((int)pid, first, bytes, (int)protection & 7, (AreaKind)kind);
        return true;
    }
}
