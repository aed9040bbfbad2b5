using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>NUMA balancing makes ranges inaccessible, and the next access of each page faults.</summary>
internal sealed class NumaBalancing : Workload
{
    private const int HeapPages = 4096;
    private const int ScannedPages = 256;

    public override string Name => "numa-balancing";

    public override string Summary => "threads use a heap of 16 MiB; every 2 ms a scan makes 256 pages of it fault";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("service");
        int heap = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        process.Areas!.Set(heap, heap + HeapPages, true, true);
        run.StartThreads(process, cpu => cpu.Index == 0 ? Scans(run, cpu, process, heap) : HeapUser.Run(run, cpu, process, heap, HeapPages));
    }

    private static async Proc Scans(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        await run.Kernel.Touch(cpu, process, heap, HeapPages);
        int next = 0;
        while (run.HasTime(cpu))
        {
            await run.Kernel.Machine.Compute(cpu, 2_000_000);
            await run.Kernel.Kernel.NumaHinting.ChangeProtNuma(cpu, process, heap + next, ScannedPages);
            await run.Kernel.Machine.Boundary(cpu);
            next = (next + ScannedPages) % HeapPages;
        }
    }
}

/// <summary>A kernel thread reclaims pages of a process, which faults them in again.</summary>
internal sealed class ReclaimUnderPressure : Workload
{
    private const int HeapPages = 8192;
    private const int Batch = 32;

    public override string Name => "reclaim";

    public override string Summary => "threads use a heap of 32 MiB; a kernel thread reclaims 32 of its pages every millisecond";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("service");
        int heap = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        process.Areas!.Set(heap, heap + HeapPages, true, true);
        foreach (TimedCpu cpu in run.Kernel.Machine.Cpus)
        {
            bool isKswapd = cpu.Cpu.Index == run.Cpus - 1;
            run.StartThread(cpu.Cpu, isKswapd ? null : process, target =>
                isKswapd ? Kswapd(run, target, process, heap) : HeapUser.Run(run, target, process, heap, HeapPages));
        }
    }

    private static async Proc Kswapd(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Machine.Compute(cpu, 1_000_000);
            FrameSet folios = run.Kernel.Kernel.NewFrameSet();
            for (int i = 0; i < Batch; i++)
            {
                Pte leaf = run.Kernel.Machine.Tables.Walk(process.Space.RootTable, heap + run.Random(cpu, HeapPages), out _, out _);
                folios = leaf.Present ? folios.With(leaf.Frame) : folios;
            }

            await run.Kernel.Kernel.Reclaim.ShrinkFolioList(cpu, folios, true);
            await run.Kernel.Machine.Boundary(cpu);
        }
    }
}

/// <summary>A kernel thread moves pages of a process, as compaction does.</summary>
internal sealed class MigrationWorkload : Workload
{
    private const int HeapPages = 4096;
    private const int Batch = 32;

    public override string Name => "migration";

    public override string Summary => "threads use a heap of 16 MiB; a kernel thread moves 32 of its pages every millisecond";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("service");
        int heap = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        process.Areas!.Set(heap, heap + HeapPages, true, true);
        foreach (TimedCpu cpu in run.Kernel.Machine.Cpus)
        {
            bool moves = cpu.Cpu.Index == run.Cpus - 1;
            run.StartThread(cpu.Cpu, moves ? null : process, target =>
                moves ? Kcompactd(run, target, process, heap) : HeapUser.Run(run, target, process, heap, HeapPages));
        }
    }

    private static async Proc Kcompactd(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Machine.Compute(cpu, 1_000_000);
            for (int i = 0; i < Batch; i++)
            {
                Pte leaf = run.Kernel.Machine.Tables.Walk(process.Space.RootTable, heap + run.Random(cpu, HeapPages), out _, out _);
                if (leaf.Present && await run.Kernel.Kernel.Reclaim.FolioIsolateLru(cpu, leaf.Frame))
                {
                    await run.Kernel.Kernel.Migrate.MigratePages(cpu, leaf.Frame, true);
                }
            }

            await run.Kernel.Machine.Boundary(cpu);
        }
    }
}

/// <summary>A thread that works on a heap: three reads for a write, two microseconds of computing behind each.</summary>
internal static class HeapUser
{
    internal static async Proc Run(WorkloadRun run, Cpu cpu, Mm process, int heap, int pages)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Access(cpu, process, heap + run.Random(cpu, pages), run.Random(cpu, 4) == 0);
            await run.Kernel.Machine.Compute(cpu, 2000);
            run.Work++;
        }
    }
}
