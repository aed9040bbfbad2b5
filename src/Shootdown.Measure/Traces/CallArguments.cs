namespace Shootdown.Measure;

/// <summary>
/// The arguments of a system call as a tool prints them, <c>addr: 0x7f00, len: 0x1000</c>. The kernel's own text,
/// <c>sys_mmap(addr: 7f00, len: 1000)</c>, is hexadecimal whether it says so or not: up to Linux 6.12 at least it has no <c>0x</c>, 6.18 has it
/// (kernel/trace/trace_syscalls.c, print_syscall_enter).
/// </summary>
internal readonly ref struct CallArguments(ReadOnlySpan<byte> text, bool isHexadecimal)
{
    private readonly ReadOnlySpan<byte> _text = text;

    /// <summary>The number of an argument; false if it is missing or none.</summary>
    public bool TryGet(ReadOnlySpan<byte> key, out long value)
        => isHexadecimal ? ByteText.TryHexadecimal(ByteText.Field(_text, key), out value) : ByteText.TryField(_text, key, out value);
}
