using System.Runtime.InteropServices;

namespace Shootdown.Measure;

/// <summary>System calls that calibration times.</summary>
internal static unsafe partial class LinuxCalls
{
    public const int ReadWrite = 3;
    public const int ReadOnly = 1;
    public const int DontNeed = 4;
    public const int NoHugePage = 15;
    private const int PrivateAnonymous = 0x22;
    private const int MembarrierNumber = 324;
    private const int RegisterPrivateExpedited = 16;
    private const int PrivateExpedited = 8;

    /// <summary>New private memory.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static byte* Map(nint bytes)
    {
        nint address = MapMemory(0, bytes, ReadWrite, PrivateAnonymous, -1, 0);
        return address == -1 ? throw new InvalidOperationException("mmap failed") : (byte*)address;
    }

    /// <summary>Pins this thread to a CPU; false if that is not allowed.</summary>
    public static bool Pin(int cpu)
    {
        const int words = 16;
        ulong* mask = stackalloc ulong[words];
        new Span<ulong>(mask, words).Clear();
        mask[cpu / 64] = 1UL << (cpu % 64);
        return SetAffinity(0, words * sizeof(ulong), mask) == 0;
    }

    /// <summary>CPUs that this thread may run on.</summary>
    public static IReadOnlyList<int> Allowed()
    {
        const int words = 16;
        ulong* mask = stackalloc ulong[words];
        new Span<ulong>(mask, words).Clear();
        _ = GetAffinity(0, words * sizeof(ulong), mask);
        var cpus = new List<int>();
        for (int cpu = 0; cpu < words * 64; cpu++)
        {
            if ((mask[cpu / 64] >> (cpu % 64) & 1) != 0)
            {
                cpus.Add(cpu);
            }
        }

        return cpus;
    }

    /// <summary>Makes <see cref="Membarrier"/> possible; false if the kernel has none.</summary>
    public static bool RegisterMembarrier() => Syscall(MembarrierNumber, RegisterPrivateExpedited, 0, 0) == 0;

    /// <summary>Interrupts every CPU that runs this process, and waits.</summary>
    public static void Membarrier() => _ = Syscall(MembarrierNumber, PrivateExpedited, 0, 0);

    [LibraryImport("libc", EntryPoint = "getppid")]
    [SuppressGCTransition]
    public static partial int GetParent();

    [LibraryImport("libc", EntryPoint = "munmap")]
    [SuppressGCTransition]
    public static partial int Unmap(byte* address, nint bytes);

    [LibraryImport("libc", EntryPoint = "madvise")]
    [SuppressGCTransition]
    public static partial int Advise(byte* address, nint bytes, int advice);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    [SuppressGCTransition]
    public static partial int Protect(byte* address, nint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "mremap")]
    [SuppressGCTransition]
    public static partial nint Remap(byte* address, nint oldBytes, nint newBytes, int flags, byte* to);

    [LibraryImport("libc", EntryPoint = "pipe")]
    public static partial int Pipe(int* ends);

    [LibraryImport("libc", EntryPoint = "read")]
    public static partial nint Read(int handle, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write")]
    public static partial nint Write(int handle, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int handle);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MapMemory(nint address, nint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int pid, nint bytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int pid, nint bytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint Syscall(nint number, nint a, nint b, nint c);
}
