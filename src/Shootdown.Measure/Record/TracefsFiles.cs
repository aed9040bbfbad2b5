using System.Runtime.InteropServices;
using System.Text;

namespace Shootdown.Measure;

/// <summary>Files of tracefs below a root. Tests put a folder of plain files in its place.</summary>
public class TracefsFiles(string root)
{
    private static readonly string[] Mounts = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

    /// <summary>Where it is mounted.</summary>
    public string Root { get; } = root;

    /// <summary>Tracefs where it is usually mounted; null if it is not, or not for this user.</summary>
    public static TracefsFiles? Mounted()
        => Mounts.Select(mount => new TracefsFiles(mount))
            .FirstOrDefault(files => files.Exists("instances") && files.Exists("events/tlb/tlb_flush/enable"));

    /// <summary>True if a file or folder exists.</summary>
    public bool Exists(string path) => Path.Exists(PathOf(path));

    /// <summary>Text of a file.</summary>
    public string Read(string path) => File.ReadAllText(PathOf(path));

    /// <summary>Writes a file that exists: tracefs files are switches.</summary>
    public void Write(string path, string text)
    {
        using var file = new FileStream(PathOf(path), FileMode.Open, FileAccess.Write);
        file.Write(Encoding.ASCII.GetBytes(text));
    }

    /// <summary>Names in a folder.</summary>
    public IReadOnlyList<string> List(string path)
        => Directory.Exists(PathOf(path)) ? [.. Directory.EnumerateFileSystemEntries(PathOf(path)).Select(entry => Path.GetFileName(entry)!)] : [];

    /// <summary>Makes an instance: in tracefs the kernel fills the new folder.</summary>
    public virtual void CreateInstance(string path) => Directory.CreateDirectory(PathOf(path));

    /// <summary>Removes an instance; tracefs wants its folder removed and not its files.</summary>
    public virtual void RemoveInstance(string path) => Directory.Delete(PathOf(path));

    /// <summary>Opens a pipe that can be read without waiting.</summary>
    public TracePipe OpenPipe(string path) => new(PathOf(path));

    /// <summary>The whole path.</summary>
    protected string PathOf(string path) => Path.Combine(Root, path);
}

/// <summary>A trace_pipe: a read gives what is there, or nothing, and never waits.</summary>
public sealed partial class TracePipe : IDisposable
{
    /// <summary>O_NONBLOCK, and O_CLOEXEC: a target that inherits the pipe keeps the instance from being removed.</summary>
    private const int ReadOnlyNonBlocking = 0x80800;
    private const int PreferredNice = -15;
    private const int WouldBlock = 11;
    private const int Interrupted = 4;
    private readonly int _handle;

    /// <summary>Opens it.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public TracePipe(string path)
    {
        _handle = Open(path, ReadOnlyNonBlocking);
        if (_handle < 0)
        {
            throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
    }

    /// <summary>Bytes that are there, at most the buffer's; 0 if there are none now.</summary>
    /// <exception cref="IOException">Reading fails.</exception>
    public unsafe int Read(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            nint count = Read(_handle, start, buffer.Length);
            if (count >= 0)
            {
                return (int)count;
            }
        }

        int error = Marshal.GetLastPInvokeError();
        return error is WouldBlock or Interrupted ? 0 : throw new IOException(Marshal.GetPInvokeErrorMessage(error));
    }

    /// <inheritdoc/>
    public void Dispose() => _ = Close(_handle);

    /// <summary>
    /// Lets the calling thread run before others of its CPU, if it may: what is recorded may want all CPUs, and who does not read in time loses events.
    /// </summary>
    public static void PreferOwnThread() => _ = SetPriority(0, 0, PreferredNice);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int nice);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static unsafe partial nint Read(int handle, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int handle);
}
