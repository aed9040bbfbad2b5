using System.CommandLine;
using System.Globalization;

namespace Shootdown.Cli;

/// <summary>What <c>record</c> was asked to do.</summary>
internal sealed record RecordRequest
{
    /// <summary>The command to run; empty to record what runs already.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>Process that is of interest; null for all.</summary>
    public required int? Pid { get; init; }

    /// <summary>How long; null for the life of the command.</summary>
    public required TimeSpan? Duration { get; init; }

    /// <summary>File to write.</summary>
    public required string File { get; init; }

    /// <summary>Ring of each CPU, in KiB.</summary>
    public required int BufferKb { get; init; }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">They make no sense.</exception>
    public static RecordRequest Read(ParseResult parsed, CommandTree tree)
    {
        const string help = "./shootdown record --help";
        string[] command = parsed.GetValue(tree.Ids) ?? [];
        int? pid = parsed.GetValue(tree.Pid) is { } text ? ReplayRequest.ProcessId(text) : null;
        TimeSpan? duration = parsed.GetValue(tree.Seconds) is { } seconds ? Time(seconds) : null;
        if (command.Length > 0 && pid is not null)
        {
            throw new UsageException("record takes a command or --pid, not both", help);
        }

        if (command.Length == 0 && duration is null)
        {
            throw new UsageException("record needs a command behind '--', or --seconds", help);
        }

        const long largest = 1L << 40;
        long bytes = parsed.GetValue(tree.Buffer) is { } buffer ? OptionValues.Bytes("--buffer", buffer) : DefaultRingBytes();
        if (bytes is < 4096 or > largest)
        {
            throw new UsageException($"--buffer '{parsed.GetValue(tree.Buffer)}': expected from 4K to 1T");
        }

        return new RecordRequest
        {
            Command = command,
            Pid = pid,
            Duration = duration,
            File = parsed.GetValue(tree.Out) ?? "shootdown.trace.gz",
            BufferKb = (int)(bytes / 1024),
        };
    }

    /// <summary>
    /// 64 MiB, some million events; less where the rings of all CPUs would take more than an eighth of the memory that is free now.
    /// </summary>
    private static long DefaultRingBytes()
    {
        const long most = 64L << 20;
        const long least = 1L << 20;
        const string memory = "/proc/meminfo";
        string? row = System.IO.File.Exists(memory)
            ? System.IO.File.ReadLines(memory).FirstOrDefault(line => line.StartsWith("MemAvailable:", StringComparison.Ordinal)) : null;
        string[] words = row?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        return words.Length > 1 && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long freeKb)
            ? Math.Clamp(freeKb * 1024 / 8 / Environment.ProcessorCount / least * least, least, most) : least;
    }

    /// <summary>A plain number is seconds.</summary>
    private static TimeSpan Time(string text)
        => OptionValues.Time("--seconds", text.Length > 0 && char.IsAsciiDigit(text[^1]) ? text + "s" : text);
}
