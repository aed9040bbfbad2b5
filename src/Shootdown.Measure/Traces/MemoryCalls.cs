namespace Shootdown.Measure;

/// <summary>Names and arguments of system calls that change address spaces.</summary>
internal static class MemoryCalls
{
    private static readonly (byte[] Name, MemoryCall Call)[] Known =
    [
        .. Enum.GetValues<MemoryCall>().Where(call => call != MemoryCall.Other)
            .Select(call => (System.Text.Encoding.ASCII.GetBytes(NameOf(call)), call)),
    ];

    /// <summary>
    /// Calls that may flush and have no form in the kernel library, by the kernel's names: what they do is in no prediction, and flushes
    /// in them get their names.
    /// </summary>
    public static IReadOnlyList<string> NotModelled { get; } =
    [
        "process_madvise", "move_pages", "migrate_pages", "mbind", "msync", "fsync", "fdatasync", "sync_file_range", "truncate", "ftruncate",
        "fallocate", "remap_file_pages", "shmdt", "swapoff",
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
    public static string? ReadArguments(MemoryCall call, in CallArguments fields, ref TraceEvent parsed)
    {
        switch (call)
        {
            case MemoryCall.Mmap:
                return !fields.TryGet("addr"u8, out parsed.A0) ? "addr"
                    : !fields.TryGet("len"u8, out parsed.A1) ? "len"
                    : !fields.TryGet("prot"u8, out parsed.A2) ? "prot"
                    : !fields.TryGet("flags"u8, out parsed.A3) ? "flags"
                    : !fields.TryGet("fd"u8, out parsed.A4) ? "fd"
                    : null;
            case MemoryCall.Munmap:
                return Range(fields, ref parsed);
            case MemoryCall.Madvise:
                return Range(fields, ref parsed) ?? (fields.TryGet("behavior"u8, out parsed.A2) ? null : "behavior");
            case MemoryCall.ProcessMadvise:
                return fields.TryGet("behavior"u8, out parsed.A2) ? null : "behavior";
            case MemoryCall.Mprotect or MemoryCall.PkeyMprotect:
                return Range(fields, ref parsed) ?? (fields.TryGet("prot"u8, out parsed.A2) ? null : "prot");
            case MemoryCall.Mremap:
                return !fields.TryGet("addr"u8, out parsed.A0) ? "addr"
                    : !fields.TryGet("old_len"u8, out parsed.A1) && !fields.TryGet("old"u8, out parsed.A1) ? "old_len"
                    : !fields.TryGet("new_len"u8, out parsed.A2) && !fields.TryGet("new"u8, out parsed.A2) ? "new_len"
                    : !fields.TryGet("flags"u8, out parsed.A3) ? "flags"
                    : !fields.TryGet("new_addr"u8, out parsed.A4) && !fields.TryGet("newaddr"u8, out parsed.A4) ? "new_addr"
                    : null;
            case MemoryCall.Brk:
                return fields.TryGet("brk"u8, out parsed.A0) ? null : "brk";
            case MemoryCall.Clone:
                parsed.A0 = fields.TryGet("clone_flags"u8, out long flags) ? flags : -1;
                return null;
            default:
                return null;
        }
    }

    /// <summary>Address and length, which the calls name differently.</summary>
    private static string? Range(in CallArguments fields, ref TraceEvent parsed)
        => !fields.TryGet("addr"u8, out parsed.A0) && !fields.TryGet("start"u8, out parsed.A0) ? "addr"
            : !fields.TryGet("len"u8, out parsed.A1) && !fields.TryGet("len_in"u8, out parsed.A1) ? "len"
            : null;
}
