using System.Text;

namespace Shootdown.Measure;

/// <summary>
/// Lines <c>ns cpu tid comm event key=value...</c> of a bpftrace script: <c>tlb_flush reason=4 pages=1</c>, or a system
/// call with its arguments. Such a script prints calls as they are entered; there are no ends.
/// </summary>
internal sealed class BpftraceParser(NameTable names, TraceProblems problems) : TraceParser(names, problems)
{
    private readonly KernelEventFields _fields = new(names);

    /// <inheritdoc/>
    public override TraceFormat Format => TraceFormat.Bpftrace;

    /// <inheritdoc/>
    protected override LineResult ParseLine(ReadOnlySpan<byte> line, ref TraceEvent parsed)
    {
        ReadOnlySpan<byte> text = ByteText.Trimmed(line);
        if (text.IsEmpty || text.StartsWith("Attach"u8))
        {
            return LineResult.Nothing;
        }

        if (text.StartsWith("Lost "u8) && ByteText.TryNumber(text[5..], out long lost))
        {
            return Problem(TraceProblemKind.LostEvents, Encoding.UTF8.GetString(text), lost);
        }

        if (!ByteText.TryNumber(ByteText.NextWord(ref text), out parsed.TimeNs) || !ByteText.TryInt(ByteText.NextWord(ref text), out parsed.Cpu)
            || !ByteText.TryInt(ByteText.NextWord(ref text), out parsed.Tid)
            || !TrySplit(text, out ReadOnlySpan<byte> comm, out ReadOnlySpan<byte> name))
        {
            return LineResult.Unreadable;
        }

        parsed.Comm = Names.Number(comm);
        ReadOnlySpan<byte> fields = text[(comm.Length + 1 + name.Length)..];
        string? missing = null;
        parsed.Call = MemoryCalls.Find(name);
        if (parsed.Call != MemoryCall.Other)
        {
            parsed.Kind = TraceEventKind.SyscallEnter;
            missing = MemoryCalls.ReadArguments(parsed.Call, new CallArguments(fields, isHexadecimal: false), ref parsed);
        }
        else
        {
            missing = _fields.Read(name, fields, ref parsed);
        }

        return missing is null ? LineResult.Event
            : Problem(TraceProblemKind.MissingField, $"{Encoding.UTF8.GetString(name)} without a readable '{missing}'");
    }

    /// <summary>The event is the word before the first <c>key=value</c>; what stands before it is the name of the thread.</summary>
    private static bool TrySplit(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> comm, out ReadOnlySpan<byte> name)
    {
        comm = name = default;
        int equals = text.IndexOf((byte)'=');
        int fields = equals < 0 ? -1 : text[..equals].LastIndexOf((byte)' ');
        int start = fields < 0 ? -1 : text[..fields].LastIndexOf((byte)' ');
        if (start < 0)
        {
            return false;
        }

        comm = text[..start];
        name = text[(start + 1)..fields];
        return true;
    }
}
