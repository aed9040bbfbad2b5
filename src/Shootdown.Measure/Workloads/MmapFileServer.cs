using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Threads read and write a mapped file that does not fit into the page cache; a kernel thread writes back and evicts.</summary>
internal sealed class MmapFileServer : Workload
{
    private const int PageBytes = 4096;
    private const int FilePages = 8192;
    private const int CachedPagesMax = 6144;
    private const int SyncedPages = 64;
    private const int EvictedPages = 32;

    /// <summary>Pages beyond the limit from which threads reclaim themselves, as below the min watermark.</summary>
    private const int SlackPages = 256;

    private const long SleepNs = 250_000;
    private const int SleepsPerSync = 8;

    public override string Name => "mmap-file-server";

    public override string Summary => "threads access a mapped file of 32 MiB, a tenth writes; a kernel thread keeps 24 MiB of it cached";

    public override string Unit => "accesses";

    internal override int Frames => CachedPagesMax + 2048;

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("server");
        FileMapping file = run.Kernel.Kernel.NewFile("data", FilePages);
        int first = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        process.AddSharedFileArea(file, first, FilePages, 0);
        process.Areas!.Set(first, first + FilePages, true, true);
        var hand = new ClockHand();
        run.Prepare(process, cpu => run.Kernel.Touch(cpu, process, first, CachedPagesMax, write: false));
        run.StartBesideKernelThread(process, cpu => Thread(run, cpu, process, file, hand), cpu => Kswapd(run, cpu, file, hand));
    }

    /// <summary>
    /// Every 2 ms 64 pages are written back; whenever too much is cached, pages go in the order of the file, used or not. Threads help if
    /// that is too slow.
    /// </summary>
    private static async Proc Kswapd(WorkloadRun run, Cpu cpu, FileMapping file, ClockHand hand)
    {
        int synced = 0;
        for (int round = 0; run.HasTime(cpu); round++)
        {
            await run.Kernel.Machine.Compute(cpu, SleepNs);
            if (round % SleepsPerSync == 0)
            {
                await run.Kernel.Kernel.Writeback.WriteCachePages(cpu, file, synced, SyncedPages);
                synced = (synced + SyncedPages) % FilePages;
            }

            while (run.HasTime(cpu) && IsShort(run, 0))
            {
                await Evict(run, cpu, file, hand);
            }
        }
    }

    /// <summary>The product of two even distributions: the first tenth of the file gets a third of the accesses.</summary>
    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process, FileMapping file, ClockHand hand)
    {
        int first = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        while (run.HasTime(cpu))
        {
            if (IsShort(run, SlackPages))
            {
                await Evict(run, cpu, file, hand);
            }

            int page = run.Random(cpu, 1 + run.Random(cpu, FilePages));
            await run.Kernel.Access(cpu, process, first + page, run.Random(cpu, 10) == 0);
            await run.Kernel.Machine.Compute(cpu, 2000);
            run.Work++;
        }
    }

    /// <summary>Reclaims the next 32 cached pages.</summary>
    private static async Proc Evict(WorkloadRun run, Cpu cpu, FileMapping file, ClockHand hand)
    {
        FrameSet folios = run.Kernel.Kernel.NewFrameSet();
        for (int looked = 0; looked < FilePages && folios.Count < EvictedPages; looked++)
        {
            int frame = FrameOf(run, file, hand.Next(FilePages));
            folios = frame >= 0 ? folios.With(frame) : folios;
        }

        await run.Kernel.Kernel.Reclaim.ShrinkFolioList(cpu, folios, true);
        await run.Kernel.Machine.Boundary(cpu);
    }

    /// <summary>What has been given up but is held back for a flush is not cached any more.</summary>
    private static bool IsShort(WorkloadRun run, int slack)
        => run.Kernel.Machine.Tables.FramesInUse - (run.Kernel.Machine.Held.Bytes / PageBytes) > CachedPagesMax + slack;

    private static int FrameOf(WorkloadRun run, FileMapping file, int page) => (int)run.Kernel.Machine.Memory.At(file.Pages[page].Address) - 1;

    /// <summary>The page of the file that is evicted next.</summary>
    private sealed class ClockHand
    {
        private int _page;

        internal int Next(int pages) => _page = (_page + 1) % pages;
    }
}
