namespace Shootdown.Measure;

/// <summary>When faults map huge pages (<c>/sys/kernel/mm/transparent_hugepage/enabled</c>).</summary>
public enum HugePageMode
{
    /// <summary>never.</summary>
    Never,

    /// <summary>madvise: in areas that asked for it with MADV_HUGEPAGE.</summary>
    Madvise,

    /// <summary>always: wherever an area covers a whole huge page, unless MADV_NOHUGEPAGE.</summary>
    Always,
}

/// <summary>Settings of a recorded system that decide what its kernel flushes, as far as the trace tells.</summary>
/// <param name="HugePages">When faults map huge pages; null if not told.</param>
/// <param name="HasSwap">True if it has swap; null if not told.</param>
/// <param name="NumaBalancing">True if the kernel takes entries away to see who uses them (<c>kernel.numa_balancing</c>); null if not told.</param>
public readonly record struct RecordedSystem(HugePageMode? HugePages, bool? HasSwap, bool? NumaBalancing)
{
    /// <summary>Of this machine.</summary>
    public static RecordedSystem OfThisMachine()
    {
        string thp = KernelFiles.Read("/sys/kernel/mm/transparent_hugepage/enabled");
        string swaps = KernelFiles.Read("/proc/swaps");
        string numa = KernelFiles.Read("/proc/sys/kernel/numa_balancing").Trim();
        return new RecordedSystem(
            ModeOf(thp[(thp.IndexOf('[', StringComparison.Ordinal) + 1)..].Split(']')[0]),
            swaps.Length > 0 ? swaps.Trim().Contains('\n', StringComparison.Ordinal) : null,
            numa.Length > 0 ? numa != "0" : null);
    }

    /// <summary>The kernel's name of a mode.</summary>
    public static string NameOf(HugePageMode mode) => mode switch
    {
        HugePageMode.Never => "never",
        HugePageMode.Madvise => "madvise",
        _ => "always",
    };

    /// <summary>The mode of a name; null if there is none.</summary>
    public static HugePageMode? ModeOf(string name) => name switch
    {
        "never" => HugePageMode.Never,
        "madvise" => HugePageMode.Madvise,
        "always" => HugePageMode.Always,
        _ => null,
    };

    /// <summary>As the first lines of a recording tell it.</summary>
    public override string ToString()
        => string.Concat(
            HugePages is { } mode ? $" thp={NameOf(mode)}" : "",
            HasSwap is { } swap ? $" swap={(swap ? 1 : 0)}" : "",
            NumaBalancing is { } numa ? $" numa_balancing={(numa ? 1 : 0)}" : "");

    /// <summary>With what a line of <c>key=value</c> tells.</summary>
    internal RecordedSystem With(ReadOnlySpan<byte> fields)
    {
        ReadOnlySpan<byte> thp = ByteText.Field(fields, "thp"u8);
        RecordedSystem told = this with { HugePages = ModeOf(System.Text.Encoding.UTF8.GetString(ByteText.NextWord(ref thp))) ?? HugePages };
        told = ByteText.TryField(fields, "swap"u8, out long swap) ? told with { HasSwap = swap != 0 } : told;
        return ByteText.TryField(fields, "numa_balancing"u8, out long numa) ? told with { NumaBalancing = numa != 0 } : told;
    }
}
