using System.Buffers.Text;
using System.Numerics;

namespace Shootdown.Measure;

/// <summary>
/// Fields of the kernel's events by event name. Unknown events are <see cref="TraceEventKind.Other"/>; fields that later
/// kernels add are passed over.
/// </summary>
internal sealed class KernelEventFields(NameTable names)
{
    private static readonly (byte[] Text, FlushReason Reason)[] Reasons =
    [
        ("flush on task switch"u8.ToArray(), FlushReason.TaskSwitch),
        ("remote shootdown"u8.ToArray(), FlushReason.RemoteShootdown),
        ("local shootdown"u8.ToArray(), FlushReason.LocalShootdown),
        ("local mm shootdown"u8.ToArray(), FlushReason.LocalMmShootdown),
        ("remote ipi send"u8.ToArray(), FlushReason.RemoteSendIpi),
        ("remote wrong CPU"u8.ToArray(), FlushReason.RemoteWrongCpu),
    ];

    /// <summary>Reads an event; the name of the field that it lacks, or null.</summary>
    public string? Read(ReadOnlySpan<byte> name, ReadOnlySpan<byte> fields, ref TraceEvent parsed)
    {
        if (name.StartsWith("sys_"u8))
        {
            return ReadSyscall(name[4..], fields, ref parsed);
        }

        if (name.SequenceEqual("tlb_flush"u8))
        {
            return ReadFlush(fields, ref parsed);
        }

        if (name.SequenceEqual("sched_switch"u8))
        {
            return ReadSwitch(fields, ref parsed);
        }

        if (name.SequenceEqual("page_fault_user"u8) || name.SequenceEqual("page_fault_kernel"u8))
        {
            return ReadFault(name, fields, ref parsed);
        }

        if (name.StartsWith("call_function_"u8))
        {
            parsed.Kind = name.EndsWith("_exit"u8) ? TraceEventKind.InterruptExit : TraceEventKind.InterruptEnter;
            return null;
        }

        if (name.SequenceEqual("ipi_send_cpu"u8) || name.SequenceEqual("ipi_send_cpumask"u8))
        {
            return ReadIpi(fields, ref parsed);
        }

        return ReadTask(name, fields, ref parsed);
    }

    private string? ReadTask(ReadOnlySpan<byte> name, ReadOnlySpan<byte> fields, ref TraceEvent parsed)
    {
        if (name.SequenceEqual("sched_process_fork"u8))
        {
            parsed.Kind = TraceEventKind.Fork;
            parsed.A1 = names.Number(NameBefore(ByteText.Field(fields, "child_comm"u8), " child_pid"u8));
            return ByteText.TryField(fields, "child_pid"u8, out parsed.A0) ? null : "child_pid";
        }

        if (name.SequenceEqual("sched_process_exit"u8))
        {
            parsed.Kind = TraceEventKind.Exit;
            return null;
        }

        parsed.Kind = TraceEventKind.Other;
        parsed.Name = names.Number(name);
        return null;
    }

    private static string? ReadFault(ReadOnlySpan<byte> name, ReadOnlySpan<byte> fields, ref TraceEvent parsed)
    {
        if (!ByteText.TryField(fields, "address"u8, out parsed.A0))
        {
            return "address";
        }

        // The upper half of the addresses is the kernel's own.
        parsed.Kind = name.EndsWith("_user"u8) ? TraceEventKind.PageFault : parsed.A0 < 0 ? TraceEventKind.Other : TraceEventKind.KernelFault;
        return ByteText.TryField(fields, "error_code"u8, out parsed.A1) ? null : "error_code";
    }

    private static string? ReadFlush(ReadOnlySpan<byte> fields, ref TraceEvent parsed)
    {
        parsed.Kind = TraceEventKind.TlbFlush;
        if (!ByteText.TryField(fields, "pages"u8, out parsed.A1))
        {
            return "pages";
        }

        // Older tools print pages of a full flush without sign.
        parsed.A1 = parsed.A1 == uint.MaxValue ? -1 : parsed.A1;
        ReadOnlySpan<byte> reason = ByteText.Field(fields, "reason"u8);
        int open = reason.LastIndexOf((byte)'(');
        if (reason.Length > 0 && ByteText.TryNumber(open >= 0 ? reason[(open + 1)..] : reason, out parsed.A0))
        {
            return null;
        }

        foreach ((byte[] text, FlushReason known) in Reasons)
        {
            // Some kernels write "IPI" and "MM".
            if (reason.Length >= text.Length && System.Text.Ascii.EqualsIgnoreCase(reason[..text.Length], text))
            {
                parsed.A0 = (long)known;
                return null;
            }
        }

        return "reason";
    }

    private string? ReadSwitch(ReadOnlySpan<byte> fields, ref TraceEvent parsed)
    {
        parsed.Kind = TraceEventKind.SchedSwitch;
        ReadOnlySpan<byte> state = ByteText.Field(fields, "prev_state"u8);
        if (!ByteText.TryField(fields, "prev_pid"u8, out parsed.A0) || !ByteText.TryField(fields, "next_pid"u8, out parsed.A1))
        {
            return fields.IndexOf("next_pid"u8) < 0 ? "next_pid" : "prev_pid";
        }

        parsed.A2 = names.Number(NameBefore(ByteText.Field(fields, "prev_comm"u8), " prev_pid"u8));
        parsed.A3 = names.Number(NameBefore(ByteText.Field(fields, "next_comm"u8), " next_pid"u8));
        parsed.A4 = state.Length > 0 ? state[0] : 0;
        return null;
    }

    private static string? ReadIpi(ReadOnlySpan<byte> fields, ref TraceEvent parsed)
    {
        parsed.Kind = TraceEventKind.IpiSend;
        parsed.A2 = fields.IndexOf("on_each_cpu_cond_mask"u8) >= 0 || fields.IndexOf("smp_call_function"u8) >= 0 ? 1 : 0;
        if (ByteText.TryField(fields, "cpu"u8, out long _))
        {
            parsed.A0 = 1;
            return null;
        }

        ReadOnlySpan<byte> list = ByteText.Field(fields, "cpumask"u8);
        ReadOnlySpan<byte> cpus = ByteText.NextWord(ref list);
        return TryCpuGroups(cpus, ref parsed) || TryCpuList(cpus, ref parsed) ? null : "cpumask";
    }

    /// <summary>
    /// <c>00000000,0000001d</c>: 32 CPUs a group, eight hexadecimal digits each, as ftrace prints a mask (lib/vsprintf.c, <c>%*pb</c>).
    /// The numbers of a list never have that many digits.
    /// </summary>
    private static bool TryCpuGroups(ReadOnlySpan<byte> groups, ref TraceEvent parsed)
    {
        const int Digits = 8;
        if (groups.IsEmpty || (groups.Length + 1) % (Digits + 1) != 0)
        {
            return false;
        }

        int count = 0;
        for (int at = 0; at < groups.Length; at += Digits + 1)
        {
            if ((at > 0 && groups[at - 1] != ',')
                || !Utf8Parser.TryParse(groups[at..(at + Digits)], out uint group, out int used, 'x') || used != Digits)
            {
                return false;
            }

            count += BitOperations.PopCount(group);
        }

        parsed.A0 = count;
        return true;
    }

    /// <summary><c>0,2-4</c>, as trace-cmd prints it.</summary>
    private static bool TryCpuList(ReadOnlySpan<byte> list, ref TraceEvent parsed)
    {
        if (list.IsEmpty)
        {
            return false;
        }

        while (!list.IsEmpty)
        {
            int comma = list.IndexOf((byte)',');
            ReadOnlySpan<byte> part = comma < 0 ? list : list[..comma];
            list = comma < 0 ? default : list[(comma + 1)..];
            if (!Utf8Parser.TryParse(part, out int first, out int used) || first < 0)
            {
                return false;
            }

            int last = used < part.Length && part[used] == '-' && ByteText.TryInt(part[(used + 1)..], out int end) ? end : first;
            parsed.A0 += Math.Max(0, last - first + 1);
        }

        return true;
    }

    private string? ReadSyscall(ReadOnlySpan<byte> name, ReadOnlySpan<byte> fields, ref TraceEvent parsed)
    {
        if (name.StartsWith("exit_"u8) && !name.SequenceEqual("exit_group"u8))
        {
            parsed.Kind = TraceEventKind.SyscallExit;
            parsed.Call = MemoryCalls.Find(name[5..]);
            return ByteText.TryNumber(fields, out parsed.A0) ? null : "result";
        }

        if (fields.StartsWith("->"u8))
        {
            parsed.Kind = TraceEventKind.SyscallExit;
            parsed.Call = MemoryCalls.Find(name);
            return ByteText.TryNumber(ByteText.Trimmed(fields[2..]), out parsed.A0) ? null : "result";
        }

        bool isKernelText = !name.StartsWith("enter_"u8);
        ReadOnlySpan<byte> call = isKernelText ? name : name[6..];
        parsed.Kind = TraceEventKind.SyscallEnter;
        parsed.Call = MemoryCalls.Find(call);
        parsed.Name = parsed.Call == MemoryCall.Other ? names.Number(call) : 0;
        return MemoryCalls.ReadArguments(parsed.Call, new CallArguments(fields, isKernelText), ref parsed);
    }

    private static ReadOnlySpan<byte> NameBefore(ReadOnlySpan<byte> text, ReadOnlySpan<byte> next)
    {
        int end = text.IndexOf(next);
        return end < 0 ? text : text[..end];
    }
}
