using System.Text;

namespace Shootdown.Measure;

/// <content>Lines that begin with #: tracefs's header, and our own.</content>
internal sealed partial class KernelTextParser
{
    private long _lost;

    /// <summary>Records of perf itself (perf script --show-lost-events, --show-task-events, ...): only losses matter.</summary>
    private LineResult ParseRecord(ReadOnlySpan<byte> record)
    {
        if (!record.StartsWith("PERF_RECORD_LOST"u8))
        {
            return LineResult.Nothing;
        }

        ReadOnlySpan<byte> words = record;
        ByteText.NextWord(ref words);
        long count = ByteText.TryField(words, "lost"u8, out long value) ? value
            : ByteText.NextWord(ref words).SequenceEqual("lost"u8) && ByteText.TryNumber(ByteText.Trimmed(words), out value) ? value
            : 1;
        _lost += count;
        return Problem(TraceProblemKind.LostEvents, Encoding.UTF8.GetString(record), count);
    }

    private LineResult ParseHeader(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("# shootdown"u8))
        {
            ParseOwnHeader(text);
        }
        else if (text.StartsWith("# tracer:"u8) && _format is null)
        {
            _format = TraceFormat.Tracefs;
        }
        else if (text.StartsWith("# os release :"u8))
        {
            // perf script --header
            KernelVersion = Encoding.UTF8.GetString(ByteText.Trimmed(text["# os release :".Length..]));
        }
        else if (text.StartsWith("# nrcpus online :"u8))
        {
            Cpus = ByteText.TryNumber(ByteText.Trimmed(text["# nrcpus online :".Length..]), out long online) ? (int)online : Cpus;
        }
        else if (text.IndexOf("entries-in-buffer/entries-written: "u8) is int at and >= 0)
        {
            ReadOnlySpan<byte> counts = text[(at + "entries-in-buffer/entries-written: ".Length)..];
            int slash = counts.IndexOf((byte)'/');
            if (slash > 0 && ByteText.TryNumber(counts[..slash], out long kept)
                && ByteText.TryNumber(counts[(slash + 1)..], out long written) && written > kept)
            {
                Problem(TraceProblemKind.OverwrittenEvents, Encoding.UTF8.GetString(text), written - kept);
            }

            int cpus = counts.IndexOf("#P:"u8);
            Cpus = cpus >= 0 && ByteText.TryNumber(counts[(cpus + 3)..], out long count) ? (int)count : Cpus;
        }

        return LineResult.Nothing;
    }

    private void ParseOwnHeader(ReadOnlySpan<byte> text)
    {
        _format = TraceFormat.Recording;
        if (RecordedTask.TryRead(text, out RecordedTask task))
        {
            Add(task);
            return;
        }

        if (RecordedArea.TryRead(text, out RecordedArea area))
        {
            Add(area);
            return;
        }

        if (ByteText.Field(text, "kernel"u8) is { IsEmpty: false } version)
        {
            KernelVersion = Encoding.UTF8.GetString(ByteText.NextWord(ref version));
        }

        Settings = Settings.With(text);
        Cpus = ByteText.TryField(text, "cpus"u8, out long cpus) ? (int)cpus : Cpus;
        TlbInterrupts = ByteText.TryField(text, "tlb_interrupts"u8, out long interrupts) ? interrupts : TlbInterrupts;
        if (ByteText.TryField(text, "lost"u8, out long lost) && lost > _lost)
        {
            // The last line counts those that lines within have told too.
            Problem(TraceProblemKind.LostEvents, Encoding.UTF8.GetString(text), lost - _lost);
        }
    }
}
