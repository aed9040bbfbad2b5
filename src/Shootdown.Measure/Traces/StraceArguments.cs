namespace Shootdown.Measure;

/// <summary>Arguments as strace prints them: by position, numbers plain or as names of flags.</summary>
internal sealed class StraceArguments
{
    private static readonly Dictionary<string, long> FlagValues = new(StringComparer.Ordinal)
    {
        ["PROT_NONE"] = 0,
        ["PROT_READ"] = 1,
        ["PROT_WRITE"] = 2,
        ["PROT_EXEC"] = 4,
        ["MAP_SHARED"] = 1,
        ["MAP_PRIVATE"] = 2,
        ["MAP_SHARED_VALIDATE"] = 3,
        ["MAP_FIXED"] = 0x10,
        ["MAP_ANONYMOUS"] = 0x20,
        ["MAP_GROWSDOWN"] = 0x100,
        ["MAP_DENYWRITE"] = 0x800,
        ["MAP_LOCKED"] = 0x2000,
        ["MAP_NORESERVE"] = 0x4000,
        ["MAP_POPULATE"] = 0x8000,
        ["MAP_STACK"] = 0x20000,
        ["MAP_HUGETLB"] = 0x40000,
        ["MAP_FIXED_NOREPLACE"] = 0x100000,
        ["MADV_NORMAL"] = 0,
        ["MADV_RANDOM"] = 1,
        ["MADV_SEQUENTIAL"] = 2,
        ["MADV_WILLNEED"] = 3,
        ["MADV_DONTNEED"] = 4,
        ["MADV_FREE"] = 8,
        ["MADV_REMOVE"] = 9,
        ["MADV_DONTFORK"] = 10,
        ["MADV_DOFORK"] = 11,
        ["MADV_MERGEABLE"] = 12,
        ["MADV_UNMERGEABLE"] = 13,
        ["MADV_HUGEPAGE"] = 14,
        ["MADV_NOHUGEPAGE"] = 15,
        ["MADV_DONTDUMP"] = 16,
        ["MADV_DODUMP"] = 17,
        ["MADV_WIPEONFORK"] = 18,
        ["MADV_KEEPONFORK"] = 19,
        ["MADV_COLD"] = 20,
        ["MADV_PAGEOUT"] = 21,
        ["MADV_POPULATE_READ"] = 22,
        ["MADV_POPULATE_WRITE"] = 23,
        ["MADV_DONTNEED_LOCKED"] = 24,
        ["MADV_COLLAPSE"] = 25,
        ["MREMAP_MAYMOVE"] = 1,
        ["MREMAP_FIXED"] = 2,
        ["MREMAP_DONTUNMAP"] = 4,
    };

    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> _flags = FlagValues.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Reads the arguments of a call; the first that cannot be read, or null.</summary>
    public string? Read(MemoryCall call, ReadOnlySpan<byte> text, ref TraceEvent parsed)
    {
        if (call == MemoryCall.ProcessMadvise)
        {
            // Behind a list of ranges; printed as a number it is not looked for.
            int at = text.IndexOf("MADV_"u8);
            int past = at < 0 ? -1 : text[at..].IndexOfAny(", )"u8);
            return past > 0 && TryValue(text[at..(at + past)], out parsed.A2) ? null : "advice";
        }

        string[] wanted = Wanted(call);
        Span<long> values = stackalloc long[5];
        for (int i = 0; i < wanted.Length; i++)
        {
            int end = text.IndexOfAny(", )"u8);
            ReadOnlySpan<byte> word = end < 0 ? text : text[..end];
            if (word.IsEmpty && call == MemoryCall.Mremap && i == 4)
            {
                break;
            }

            if (!TryValue(word, out values[i]))
            {
                return wanted[i];
            }

            text = end < 0 ? default : WithoutComment(text[end..]).TrimStart(", "u8);
            if (call == MemoryCall.Mremap && i == 3 && (text.IsEmpty || text[0] == ')' || text[0] == '<'))
            {
                break;
            }
        }

        (parsed.A0, parsed.A1, parsed.A2, parsed.A3, parsed.A4) = (values[0], values[1], values[2], values[3], values[4]);
        return null;
    }

    /// <summary>strace -X verbose prints a number and its names in a comment behind it.</summary>
    private static ReadOnlySpan<byte> WithoutComment(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> rest = text.TrimStart((byte)' ');
        int end = rest.StartsWith("/*"u8) ? rest.IndexOf("*/"u8) : -1;
        return end < 0 ? text : rest[(end + 2)..];
    }

    private static string[] Wanted(MemoryCall call) => call switch
    {
        MemoryCall.Mmap => ["addr", "len", "prot", "flags", "fd"],
        MemoryCall.Munmap or MemoryCall.Mlock => ["addr", "len"],
        MemoryCall.Madvise => ["addr", "len", "advice"],
        MemoryCall.Mprotect or MemoryCall.PkeyMprotect => ["addr", "len", "prot"],
        MemoryCall.Mremap => ["old_addr", "old_len", "new_len", "flags", "new_addr"],
        MemoryCall.Brk => ["addr"],
        _ => [],
    };

    /// <summary>A number, or names and numbers joined by '|'; a name that is not known is worth nothing.</summary>
    private bool TryValue(ReadOnlySpan<byte> word, out long value)
    {
        value = 0;
        if (word.IsEmpty)
        {
            return false;
        }

        Span<char> buffer = stackalloc char[64];
        while (!word.IsEmpty)
        {
            int bar = word.IndexOf((byte)'|');
            ReadOnlySpan<byte> part = bar < 0 ? word : word[..bar];
            word = bar < 0 ? default : word[(bar + 1)..];
            if (ByteText.TryNumber(part, out long number))
            {
                value |= number;
                continue;
            }

            if (part.IsEmpty || part[0] is < (byte)'A' or > (byte)'Z' || part.Length > buffer.Length)
            {
                return false;
            }

            int length = System.Text.Encoding.ASCII.GetChars(part, buffer);
            value |= _flags.TryGetValue(buffer[..length], out long flag) ? flag : 0;
        }

        return true;
    }
}
