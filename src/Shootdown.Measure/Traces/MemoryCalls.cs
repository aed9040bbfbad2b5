namespace Shootdown.Measure;

/// <summary>Names and arguments of system calls that change address spaces.</summary>
internal static class MemoryCalls
{
    private static readonly (byte[] Name, MemoryCall Call)[] Known =
    [
        .. Enum.GetValues<MemoryCall>().Where(call => call != MemoryCall.Other)
            .Select(call => (System.Text.Encoding.ASCII.GetBytes(NameOf(call)), call)),
    ];

    /// <summary>The kernel's name of a call.</summary>
    public static string NameOf(MemoryCall call) => call switch
    {
        MemoryCall.ExitGroup => "exit_group",
        MemoryCall.ProcessMadvise => "process_madvise",
        MemoryCall.MovePages => "move_pages",
        MemoryCall.PkeyMprotect => "pkey_mprotect",
        _ => call.ToString().ToLowerInvariant(),
    };

    /// <summary>The call with a name.</summary>
    public static MemoryCall Find(ReadOnlySpan<byte> name)
    {
        foreach ((byte[] known, MemoryCall call) in Known)
        {
            if (name.SequenceEqual(known))
            {
                return call;
            }
        }

        return MemoryCall.Other;
    }

    /// <summary>Reads the arguments as the kernel names them; the first that is missing, or null.</summary>
    public static string? ReadArguments(MemoryCall call, ReadOnlySpan<byte> fields, ref TraceEvent parsed)
    {
        switch (call)
        {
            case MemoryCall.Mmap:
                return !ByteText.TryField(fields, "addr"u8, out parsed.A0) ? "addr"
                    : !ByteText.TryField(fields, "len"u8, out parsed.A1) ? "len"
                    : !ByteText.TryField(fields, "prot"u8, out parsed.A2) ? "prot"
                    : !ByteText.TryField(fields, "flags"u8, out parsed.A3) ? "flags"
                    : !ByteText.TryField(fields, "fd"u8, out parsed.A4) ? "fd"
                    : null;
            case MemoryCall.Munmap:
                return Range(fields, ref parsed);
            case MemoryCall.Madvise:
                return Range(fields, ref parsed) ?? (ByteText.TryField(fields, "behavior"u8, out parsed.A2) ? null : "behavior");
            case MemoryCall.ProcessMadvise:
                return ByteText.TryField(fields, "behavior"u8, out parsed.A2) ? null : "behavior";
            case MemoryCall.Mprotect or MemoryCall.PkeyMprotect:
                return Range(fields, ref parsed) ?? (ByteText.TryField(fields, "prot"u8, out parsed.A2) ? null : "prot");
            case MemoryCall.Mremap:
                return !ByteText.TryField(fields, "addr"u8, out parsed.A0) ? "addr"
                    : !ByteText.TryField(fields, "old_len"u8, out parsed.A1) && !ByteText.TryField(fields, "old"u8, out parsed.A1) ? "old_len"
                    : !ByteText.TryField(fields, "new_len"u8, out parsed.A2) && !ByteText.TryField(fields, "new"u8, out parsed.A2) ? "new_len"
                    : !ByteText.TryField(fields, "flags"u8, out parsed.A3) ? "flags"
                    : !ByteText.TryField(fields, "new_addr"u8, out parsed.A4) && !ByteText.TryField(fields, "newaddr"u8, out parsed.A4) ? "new_addr"
                    : null;
            case MemoryCall.Brk:
                return ByteText.TryField(fields, "brk"u8, out parsed.A0) ? null : "brk";
            case MemoryCall.Clone:
                parsed.A0 = ByteText.TryField(fields, "clone_flags"u8, out long flags) ? flags : -1;
                return null;
            default:
                return null;
        }
    }

    /// <summary>Address and length, which the calls name differently.</summary>
    private static string? Range(ReadOnlySpan<byte> fields, ref TraceEvent parsed)
        => !ByteText.TryField(fields, "addr"u8, out parsed.A0) && !ByteText.TryField(fields, "start"u8, out parsed.A0) ? "addr"
            : !ByteText.TryField(fields, "len"u8, out parsed.A1) && !ByteText.TryField(fields, "len_in"u8, out parsed.A1) ? "len"
            : null;
}
