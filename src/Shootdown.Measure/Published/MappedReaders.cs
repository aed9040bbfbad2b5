using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// vm-scalability, case-lru-file-mmap-read: a process on every CPU reads a mapped sparse file from its beginning to its end, all together ten
/// times the memory, and kswapd reclaims behind them. The workload of the batched unmap (Mel Gorman, linux-mm, April 2015).
/// </summary>
/// <param name="batch">Pages that reclaim unmaps before it flushes: 32 (SWAP_CLUSTER_MAX), or a page full of frame numbers.</param>
internal sealed class MappedReaders(int batch) : Workload
{
    private const int MemoryPagesPerReader = 512;
    private const int ReadaheadPages = 32;
    private const int HighWatermark = 1024;

    /// <summary>So much of the memory of few readers is kept free; of many, the watermark.</summary>
    private const int FreeShare = 4;

    private const int IdleNs = 10_000;
    private const int Passes = 10;
    private readonly int _batch = batch;

    public override string Name => _batch == ClusterPages ? "mapped-readers" : "mapped-readers-long";

    public override string Summary
        => $"vm-scalability lru-file-mmap-read: processes read files of ten times the memory; reclaim unmaps {_batch} pages a batch";

    public override string Unit => "pages read";

    internal const int ClusterPages = 32;

    /// <summary>PFNs in a page behind the CPU mask and a count (patch 3 of the series).</summary>
    internal const int PageOfPfns = 500;

    internal override void Start(WorkloadRun run)
    {
        int readers = run.Cpus - 1;
        var lru = new ReadOrder(run, readers, MemoryPagesPerReader * Passes);
        run.Kernel.Machine.HasDisk = false;
        foreach (TimedCpu cpu in run.Kernel.Machine.Cpus)
        {
            int reader = cpu.Cpu.Index;
            bool isKswapd = reader == readers;
            run.StartThread(cpu.Cpu, isKswapd ? null : lru.ProcessOf(reader), target =>
                isKswapd ? Kswapd(run, target, lru, readers) : Reader(run, target, lru, reader));
        }
    }

    /// <summary>Who is too fast for kswapd reclaims by itself (direct reclaim).</summary>
    private async Proc Reader(WorkloadRun run, Cpu cpu, ReadOrder lru, int reader)
    {
        Mm process = lru.ProcessOf(reader);
        int first = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        for (int page = 0; run.HasTime(cpu); page = (page + 1) % (MemoryPagesPerReader * Passes))
        {
            if (page % ReadaheadPages == 0)
            {
                while (run.HasTime(cpu) && lru.CachedPages > MemoryPagesPerReader * (run.Cpus - 1))
                {
                    await Reclaim(run, cpu, lru);
                }

                lru.NoteRead(reader, page, ReadaheadPages);
            }

            await run.Kernel.Access(cpu, process, first + page, false);
            await run.Kernel.Machine.Boundary(cpu);
            run.Work++;
        }
    }

    private async Proc Kswapd(WorkloadRun run, Cpu cpu, ReadOrder lru, int readers)
    {
        while (run.HasTime(cpu))
        {
            if (lru.CachedPages > (MemoryPagesPerReader * readers) - Math.Min(HighWatermark, MemoryPagesPerReader * readers / FreeShare))
            {
                await Reclaim(run, cpu, lru);
            }
            else
            {
                await run.Kernel.Machine.Compute(cpu, IdleNs);
            }
        }
    }

    private async Proc Reclaim(WorkloadRun run, Cpu cpu, ReadOrder lru)
    {
        FrameSet folios = lru.TakeOldest(_batch);
        if (folios.Count == 0)
        {
            // Pages are being read in and not listed yet.
            await run.Kernel.Machine.Compute(cpu, IdleNs);
            return;
        }

        await run.Kernel.Kernel.Reclaim.ShrinkFolioList(cpu, folios, true);
        await run.Kernel.Machine.Boundary(cpu);
    }
}
