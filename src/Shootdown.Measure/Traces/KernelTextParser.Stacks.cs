using System.Buffers.Text;
using System.Text;

namespace Shootdown.Measure;

/// <content>
/// Call stacks. perf script prints them behind their event, tracefs and trace-cmd as an event of its own with the frames behind it; each
/// frame belongs to the last event of its CPU.
/// </content>
internal sealed partial class KernelTextParser
{
    private int _stackCpu = TraceEvent.Unknown;
    private bool _isUserStack;
    private bool _isInStack;

    private void BeginStack(int cpu)
    {
        _stackCpu = cpu;
        _isUserStack = false;
        _isInStack = true;
    }

    /// <summary>
    /// <c>&lt;stack trace&gt;</c>, <c>&lt;user stack trace&gt;</c> of tracefs, the same behind <c>kernel_stack:</c>, <c>user_stack:</c> of trace-cmd.
    /// </summary>
    private bool TryStackHeader(ReadOnlySpan<byte> rest, int cpu)
    {
        bool isUser = rest.StartsWith("<user stack trace"u8) || rest.StartsWith("user_stack:"u8);
        if (!isUser && !rest.StartsWith("<stack trace"u8) && !rest.StartsWith("kernel_stack:"u8))
        {
            return false;
        }

        BeginStack(cpu);
        _isUserStack = isUser;
        return true;
    }

    /// <summary><c>=> symbol</c> (tracefs, trace-cmd) or <c>address symbol+0x1f (object)</c> (perf script).</summary>
    private LineResult ParseStackFrame(ReadOnlySpan<byte> line, ReadOnlySpan<byte> text, ref TraceEvent parsed)
    {
        parsed.Kind = TraceEventKind.StackFrame;
        parsed.Cpu = _stackCpu;
        if (text.StartsWith("=> "u8))
        {
            text = ByteText.Trimmed(text[3..]);
            parsed.A1 = _isUserStack ? 0 : 1;
            if (_isUserStack)
            {
                ReadUserFrame(text, ref parsed);
            }
            else
            {
                parsed.A0 = Names.Number(WithoutOffset(ByteText.NextWord(ref text)));
            }

            return LineResult.Event;
        }

        if (line[0] is not ((byte)' ' or (byte)'\t'))
        {
            return LineResult.Unreadable;
        }

        if (_isInStack && text.LastIndexOf((byte)':') is int colon and > 0 && text.IndexOf((byte)' ') < 0 && ByteText.IsDigits(text[(colon + 1)..]))
        {
            // The line of the source: perf script -F +srcline.
            return LineResult.Nothing;
        }

        ReadOnlySpan<byte> rest = text;
        ReadOnlySpan<byte> address = ByteText.NextWord(ref rest);
        bool isHex = Utf8Parser.TryParse(address, out ulong value, out int used, 'x') && used == address.Length;
        if (!isHex || (rest.IndexOf((byte)'(') < 0 && !(_isInStack && rest.IsEmpty)))
        {
            return LineResult.Unreadable;
        }

        parsed.A1 = value >> 63 == 1 ? 1 : 0;
        ReadPerfFrame(address, ByteText.Trimmed(rest), ref parsed);
        return LineResult.Event;
    }

    /// <summary><c>symbol+0x1f (object)</c>; both may contain spaces and brackets. Nothing where perf has no symbols.</summary>
    private void ReadPerfFrame(ReadOnlySpan<byte> address, ReadOnlySpan<byte> text, ref TraceEvent parsed)
    {
        if (text.IsEmpty)
        {
            parsed.A0 = Names.Number($"0x{Encoding.ASCII.GetString(address)}");
            return;
        }

        int offset = text.LastIndexOf("+0x"u8);
        int open = offset >= 0 && text[offset..].IndexOf(" ("u8) is int behind and >= 0 ? offset + behind : ObjectAt(text);
        ReadOnlySpan<byte> symbol = open < 0 ? text : text[..open];
        ReadOnlySpan<byte> file = open < 0 ? default : text[(open + 2)..^(text[^1] == ')' ? 1 : 0)];
        symbol = WithoutOffset(symbol);
        parsed.A2 = Names.Number(FileName(file));
        parsed.A0 = !symbol.SequenceEqual("[unknown]"u8) ? Names.Number(symbol)
            : file.SequenceEqual("[unknown]"u8) ? 0
            : Names.Number($"[unknown] in {Encoding.UTF8.GetString(FileName(file))}");
    }

    private static int ObjectAt(ReadOnlySpan<byte> text)
    {
        int path = text.LastIndexOf(" (/"u8);
        return path >= 0 ? path : text.LastIndexOf(" ("u8);
    }

    /// <summary><c>/path/object[+0x1f]</c>, or only an address in angle brackets; <c>??</c> where the kernel could not read on.</summary>
    private void ReadUserFrame(ReadOnlySpan<byte> text, ref TraceEvent parsed)
    {
        int offset = text.LastIndexOf("[+0x"u8);
        if (offset > 0)
        {
            int end = text[offset..].IndexOf((byte)']');
            ReadOnlySpan<byte> file = FileName(text[..offset]);
            ReadOnlySpan<byte> place = end < 0 ? default : text[(offset + 1)..(offset + end)];
            parsed.A2 = Names.Number(file);
            parsed.A0 = Names.Number($"{Encoding.UTF8.GetString(file)}{Encoding.UTF8.GetString(place)}");
        }
        else if (text.Length > 2 && text[0] == '<' && text[^1] == '>')
        {
            parsed.A0 = Names.Number($"0x{Encoding.UTF8.GetString(text[1..^1].TrimStart((byte)'0'))}");
        }
        else
        {
            parsed.A0 = text.StartsWith("??"u8) ? 0 : Names.Number(WithoutOffset(text));
        }
    }

    /// <summary>The last part of a path.</summary>
    private static ReadOnlySpan<byte> FileName(ReadOnlySpan<byte> path) => path[(path.LastIndexOf((byte)'/') + 1)..];

    private static ReadOnlySpan<byte> WithoutOffset(ReadOnlySpan<byte> symbol)
    {
        int offset = symbol.LastIndexOf("+0x"u8);
        return offset > 0 ? symbol[..offset] : symbol;
    }
}
