using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Threads read and write a mapped file that does not fit into the page cache; a kernel thread writes back and evicts.</summary>
internal sealed class MmapFileServer : Workload
{
    private const int FilePages = 8192;
    private const int CachedPagesMax = 6144;
    private const int SyncedPages = 64;
    private const int EvictedPages = 32;
    private const long SleepNs = 250_000;
    private const int SleepsPerSync = 8;

    public override string Name => "mmap-file-server";

    public override string Summary => "threads access a mapped file of 32 MiB, a tenth writes; a kernel thread keeps 24 MiB of it cached";

    public override string Unit => "accesses";

    internal override int Frames => CachedPagesMax + 8192;

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("server");
        FileMapping file = run.Kernel.Kernel.NewFile("data", FilePages);
        int first = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        process.AddSharedFileArea(file, first, FilePages, 0);
        process.Areas!.Set(first, first + FilePages, true, true);
        run.Prepare(process, cpu => run.Kernel.Touch(cpu, process, first, CachedPagesMax, write: false));
        run.StartBesideKernelThread(process, cpu => Thread(run, cpu, process, first), cpu => Kswapd(run, cpu, file));
    }

    /// <summary>Every 2 ms 64 pages are written back; whenever too much is cached, pages go in the order of the file, used or not.</summary>
    private static async Proc Kswapd(WorkloadRun run, Cpu cpu, FileMapping file)
    {
        int synced = 0;
        int hand = 0;
        for (int round = 0; run.HasTime(cpu); round++)
        {
            await run.Kernel.Machine.Compute(cpu, SleepNs);
            if (round % SleepsPerSync == 0)
            {
                await run.Kernel.Kernel.Writeback.WriteCachePages(cpu, file, synced, SyncedPages);
                synced = (synced + SyncedPages) % FilePages;
            }

            while (run.HasTime(cpu) && Cached(run, file) > CachedPagesMax)
            {
                FrameSet folios = run.Kernel.Kernel.NewFrameSet();
                while (folios.Count < EvictedPages)
                {
                    int frame = FrameOf(run, file, hand);
                    folios = frame >= 0 ? folios.With(frame) : folios;
                    hand = (hand + 1) % FilePages;
                }

                await run.Kernel.Kernel.Reclaim.ShrinkFolioList(cpu, folios, true);
                await run.Kernel.Machine.Boundary(cpu);
            }
        }
    }

    /// <summary>The product of two even distributions: the first tenth of the file gets a third of the accesses.</summary>
    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process, int first)
    {
        while (run.HasTime(cpu))
        {
            int page = run.Random(cpu, 1 + run.Random(cpu, FilePages));
            await run.Kernel.Access(cpu, process, first + page, run.Random(cpu, 10) == 0);
            await run.Kernel.Machine.Compute(cpu, 2000);
            run.Work++;
        }
    }

    private static int Cached(WorkloadRun run, FileMapping file)
    {
        int cached = 0;
        for (int page = 0; page < FilePages; page++)
        {
            cached += FrameOf(run, file, page) >= 0 ? 1 : 0;
        }

        return cached;
    }

    private static int FrameOf(WorkloadRun run, FileMapping file, int page) => (int)run.Kernel.Machine.Memory.At(file.Pages[page].Address) - 1;
}
