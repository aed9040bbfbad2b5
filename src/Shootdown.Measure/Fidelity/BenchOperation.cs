using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>An operation of tlbbench.c: what it prepares and what it measures.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Setup">What it does before.</param>
/// <param name="Run">What is measured.</param>
public sealed record BenchOperation(string Name, Func<TlbBench, int, Proc> Setup, Func<TlbBench, int, Proc> Run)
{
    private const int NeighbourPages = 8;

    /// <summary>True if the row's count of interrupts holds others than those of the operation (README of the traces).</summary>
    public bool InterruptsHoldOthers => Name is "fork" or "cow";

    /// <summary>
    /// What the measuring program does every second time; null if it does the same each time. move_pages alternates between nodes, and on the
    /// local one all pages are already.
    /// </summary>
    public Func<TlbBench, int, Proc>? EverySecondTime { get; init; }

    /// <summary>Pages of a unit of its size: 512 if the size counts huge pages.</summary>
    public int PagesOfUnit => Name.StartsWith("thp_", StringComparison.Ordinal) ? TlbBench.Huge : 1;

    /// <summary>The smallest size: 0 for calls that take no range.</summary>
    public int PagesMin => Name is "getppid" or "membarrier" ? 0 : 1;

    /// <summary>All operations that can be run.</summary>
    public static IReadOnlyDictionary<string, BenchOperation> All { get; } = Make().ToDictionary(operation => operation.Name);

    private static int Arena => TlbBench.Arena;

    private static IEnumerable<BenchOperation> Make()
    {
        yield return new("getppid", Nothing, async (bench, _) => bench.Timed.Enter(bench.Cpu, "getppid"));
        yield return new("membarrier", Nothing, (bench, _) => bench.Timed.Membarrier(bench.Cpu, bench.Process));
        yield return new("mmap_only", Nothing, (bench, n) => bench.MapAt(Arena, n));
        yield return new("fault", (bench, n) => bench.MapAt(Arena, n), (bench, n) => bench.Write(Arena, n));
        foreach (BenchOperation operation in Removals().Concat(Protections()).Concat(Files()).Concat(Huge()).Concat(Copies()))
        {
            yield return operation;
        }
    }

    private static IEnumerable<BenchOperation> Removals()
    {
        yield return new("munmap_iso", Written, Munmap);
        yield return new("munmap_mid", Between, (bench, n) => bench.Timed.Munmap(bench.Cpu, bench.Process, Arena + NeighbourPages, n));
        yield return new("munmap_nopt", (bench, n) => bench.MapAt(Arena, n), Munmap);
        yield return new("munmap_ro", ReadOnly, Munmap);
        yield return new("dontneed", Written, Dontneed);
        yield return new("dontneed_nopt", (bench, n) => bench.MapAt(Arena, n), Dontneed);
        yield return new("madvfree", Written, (bench, n) => bench.Timed.MadviseFree(bench.Cpu, bench.Process, Arena, n));
        yield return new("cold", Written, (bench, n) => bench.Timed.MadviseCold(bench.Cpu, bench.Process, Arena, n));
        yield return new("pageout_anon", Written, (bench, n) => bench.Timed.MadvisePageout(bench.Cpu, bench.Process, Arena, n));
        yield return new("mremap", Written, (bench, n) => bench.Timed.Mremap(bench.Cpu, bench.Process, Arena, n, Arena + (64 * TlbBench.Huge)));
        yield return new("brk", Heap, Brk);
    }

    private static IEnumerable<BenchOperation> Protections()
    {
        yield return new("mprot_ro", Written, ReadProtect);
        yield return new("mprot_nopt", (bench, n) => bench.MapAt(Arena, n), ReadProtect);
        yield return new("mprot_none", Written, (bench, n) => bench.Timed.MprotectNone(bench.Cpu, bench.Process, Arena, n));
        yield return new("mprot_rw", Protected, (bench, n) => bench.Timed.MprotectWritable(bench.Cpu, bench.Process, Arena, n));
        yield return new("uffd_wp", Written, (bench, n) => bench.Timed.Kernel.Userfaultfd.WriteProtect(
            bench.Cpu, bench.Process, PromiseOf(bench, n, "ioctl(UFFDIO_WRITEPROTECT)")));
        yield return new("clear_refs4", Written, (bench, n) => bench.Timed.Kernel.ClearRefs.ClearRefsWrite(
            bench.Cpu, bench.Process, PromiseOf(bench, n, "write(clear_refs)")));
        yield return new("clear_refs1", Written, (bench, n) => bench.Timed.Kernel.ClearRefs.ClearRefsYoung(bench.Cpu, bench.Process, Arena, n));
    }

    private static IEnumerable<BenchOperation> Files()
    {
        yield return new("munmap_shm", FileWritten, Munmap);
        yield return new("munmap_shm_ro", FileRead, Munmap);
        yield return new("dontneed_shm", FileWritten, Dontneed);
        yield return new("punch_shm", FileWritten, async (bench, n) =>
        {
            await bench.Timed.Kernel.Truncate.UnmapMappingRange(bench.Cpu, bench.File!, 0, n);
            await bench.Timed.Kernel.Truncate.TruncateInodePages(bench.Cpu, bench.File!, 0);
        });
        yield return new("truncate_shm", FileWritten, (bench, _) => bench.Timed.Kernel.Truncate.TruncateSetsize(bench.Cpu, bench.File!, 0));
        yield return new("fsync_shared", FileWritten, Fsync);
        yield return new("pageout_file", FileSynced, (bench, n) => bench.Timed.MadvisePageout(bench.Cpu, bench.Process, Arena, n));
    }

    private static IEnumerable<BenchOperation> Huge()
    {
        int huge = TlbBench.Huge;
        yield return new("thp_munmap", HugeWritten, (bench, n) => bench.Timed.Munmap(bench.Cpu, bench.Process, Arena, n * huge));
        yield return new("thp_dontneed", HugeWritten, (bench, n) => bench.Timed.MadviseDontneed(bench.Cpu, bench.Process, Arena, n * huge));
        yield return new("thp_mprot", HugeWritten, (bench, n) => bench.Timed.MprotectReadOnly(bench.Cpu, bench.Process, Arena, n * huge));
        yield return new("collapse", Collapsible, async (bench, _) =>
        {
            bool all = await bench.Timed.MadviseCollapse(bench.Cpu, bench.Process, Arena, huge);
            await bench.Cpu.Assert(all, "the pages are one huge page");
        });
        yield return new("thp_munmap4k", HugeWritten, (bench, _) => bench.Timed.Munmap(bench.Cpu, bench.Process, Arena + 1, 1));
        yield return new("thp_dontneed4k", HugeWritten, (bench, _) => bench.Timed.MadviseDontneed(bench.Cpu, bench.Process, Arena + 1, 1));
        yield return new("thp_mprot4k", HugeWritten, (bench, _) => bench.Timed.MprotectReadOnly(bench.Cpu, bench.Process, Arena + 1, 1));
    }

    private static IEnumerable<BenchOperation> Copies()
    {
        yield return new("move_pages", Written, (bench, n) => MoveTo(bench, n, MovePages.RemoteNode))
        {
            EverySecondTime = (bench, n) => MoveTo(bench, n, MovePages.LocalNode),
        };
        yield return new("cowzero", ReadOnly, (bench, n) => bench.Write(Arena, n));
        yield return new("fork", Written, async (bench, _) =>
        {
            await bench.Timed.Fork(bench.Cpu, bench.Process);
            await bench.WriteOwnPages();
        });
        yield return new(
            "cow",
            async (bench, n) =>
            {
                await Written(bench, n);
                await bench.Timed.Fork(bench.Cpu, bench.Process);
            },
            (bench, n) => bench.Write(Arena, n));
    }

    private static Proc MoveTo(TlbBench bench, int n, int node) => bench.Timed.MovePages(bench.Cpu, bench.Process, Arena, n, node);

    private static async Proc Nothing(TlbBench bench, int n)
    {
    }

    private static async Proc Written(TlbBench bench, int n)
    {
        await bench.MapAt(Arena, n);
        await bench.Write(Arena, n);
    }

    private static async Proc ReadOnly(TlbBench bench, int n)
    {
        await bench.MapAt(Arena, n);
        await bench.Read(Arena, n);
    }

    /// <summary>Neighbours before and behind keep the tables alive.</summary>
    private static async Proc Between(TlbBench bench, int n)
    {
        await bench.MapAt(Arena, n + (2 * NeighbourPages));
        await bench.Write(Arena, n + (2 * NeighbourPages));
    }

    private static async Proc Protected(TlbBench bench, int n)
    {
        await Written(bench, n);
        await bench.Timed.MprotectReadOnly(bench.Cpu, bench.Process, Arena, n);
    }

    private static async Proc Heap(TlbBench bench, int n)
    {
        await bench.MapAt(Arena, NeighbourPages);
        await bench.Write(Arena, NeighbourPages);
    }

    private static async Proc Brk(TlbBench bench, int n)
    {
        await bench.MapAt(Arena + NeighbourPages, n);
        await bench.Write(Arena + NeighbourPages, n);
        await bench.Timed.Munmap(bench.Cpu, bench.Process, Arena + NeighbourPages, n);
    }

    private static async Proc FileWritten(TlbBench bench, int n)
    {
        bench.MapFile(n);
        await bench.Write(Arena, n);
    }

    private static async Proc FileRead(TlbBench bench, int n)
    {
        bench.MapFile(n);
        await bench.Read(Arena, n);
    }

    private static async Proc FileSynced(TlbBench bench, int n)
    {
        await FileWritten(bench, n);
        await Fsync(bench, n);
        await bench.Read(Arena, n);
    }

    private static async Proc Collapsible(TlbBench bench, int n)
    {
        await Written(bench, TlbBench.Huge);
        bench.Timed.MadviseHugepage(bench.Cpu, bench.Process, Arena, TlbBench.Huge);
    }

    private static async Proc HugeWritten(TlbBench bench, int n)
    {
        await bench.MapAt(Arena, n * TlbBench.Huge);
        bench.Timed.MadviseHugepage(bench.Cpu, bench.Process, Arena, n * TlbBench.Huge);
        await bench.WriteHuge(Arena, n);
    }

    private static Proc Munmap(TlbBench bench, int n) => bench.Timed.Munmap(bench.Cpu, bench.Process, Arena, n);

    private static Proc Dontneed(TlbBench bench, int n) => bench.Timed.MadviseDontneed(bench.Cpu, bench.Process, Arena, n);

    private static Proc ReadProtect(TlbBench bench, int n) => bench.Timed.MprotectReadOnly(bench.Cpu, bench.Process, Arena, n);

    private static Proc Fsync(TlbBench bench, int n) => bench.Timed.Kernel.Writeback.WriteCachePages(bench.Cpu, bench.File!, 0, n);

    private static Promise PromiseOf(TlbBench bench, int n, string function)
        => new(bench.Timed.Machine.Model, bench.Cpu, bench.Process.Space, Arena, n, PromiseKind.WriteProtected, function);
}
