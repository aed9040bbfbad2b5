using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Threads read and write a shared mapping of a file; one of them writes it back.</summary>
internal sealed class MmapFileServer : Workload
{
    private const int FilePages = 4096;
    private const int SyncedPages = 64;

    public override string Name => "mmap-file-server";

    public override string Summary => "threads read and write a mapped file of 16 MiB; one of them syncs 64 pages every 2 ms";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("server");
        FileMapping file = run.Kernel.Kernel.NewFile("data", FilePages);
        int first = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        process.AddSharedFileArea(file, first, FilePages, 0);
        process.Areas!.Set(first, first + FilePages, true, true);
        run.StartThreads(process, cpu => cpu.Index == 0 ? Syncs(run, cpu, file) : Thread(run, cpu, process, first));
    }

    private static async Proc Syncs(WorkloadRun run, Cpu cpu, FileMapping file)
    {
        int next = 0;
        while (run.HasTime(cpu))
        {
            await run.Kernel.Machine.Compute(cpu, 2_000_000);
            await run.Kernel.Kernel.Writeback.WriteCachePages(cpu, file, next, SyncedPages);
            await run.Kernel.Machine.Boundary(cpu);
            next = (next + SyncedPages) % FilePages;
        }
    }

    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process, int first)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Access(cpu, process, first + run.Random(cpu, FilePages), run.Random(cpu, 4) == 0);
            await run.Kernel.Machine.Compute(cpu, 2000);
            run.Work++;
        }
    }
}
