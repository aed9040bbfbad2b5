using System.Globalization;

namespace Shootdown.Measure;

/// <summary>
/// What processes have mapped when a recording begins (<c>/proc/PID/maps</c>): whether a munmap frees tables depends on its neighbours, and what a fault
/// maps on the area that it is in.
/// </summary>
public static class ProcessMaps
{
    /// <summary>Areas of a process; none if it has ended.</summary>
    public static IReadOnlyList<RecordedArea> Read(int pid)
        => [.. KernelFiles.Read($"/proc/{pid}/maps").Split('\n').Select(line => AreaOf(pid, line)).OfType<RecordedArea>()];

    /// <summary><c>first-end rwxp offset device inode path</c>, proc_pid_maps(5). Null for what lies in the kernel's half (vsyscall).</summary>
    public static RecordedArea? AreaOf(int pid, string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        const int inode = 4;
        const int path = 5;
        string[] fields = line.Split(' ', path + 1, StringSplitOptions.RemoveEmptyEntries);
        string[] range = fields.Length > inode ? fields[0].Split('-') : [];
        if (range.Length != 2 || !TryAddress(range[0], out long first) || !TryAddress(range[1], out long end) || first < 0 || end <= first)
        {
            return null;
        }

        string rights = fields[1];
        int protection = (rights.Contains('r', StringComparison.Ordinal) ? 1 : 0) | (rights.Contains('w', StringComparison.Ordinal) ? 2 : 0)
            | (rights.Contains('x', StringComparison.Ordinal) ? 4 : 0);
        string name = fields.Length > path ? fields[path] : "";
        bool isMemory = name.StartsWith("/memfd:", StringComparison.Ordinal) || name.StartsWith("/dev/shm/", StringComparison.Ordinal)
            || name.StartsWith("/dev/zero", StringComparison.Ordinal) || name.StartsWith("/SYSV", StringComparison.Ordinal);
        AreaKind kind = rights.EndsWith('s') ? isMemory ? AreaKind.SharedMemory : AreaKind.Shared
            : fields[inode] == "0" ? AreaKind.Anonymous
            : AreaKind.PrivateFile;
        return new RecordedArea(pid, first, end - first, protection, kind);
    }

    private static bool TryAddress(string text, out long address)
    {
        bool read = ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value);
        address = (long)value;
        return read;
    }
}
