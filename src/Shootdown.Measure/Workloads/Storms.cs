using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Threads of one process map, write and unmap small regions as fast as they can.</summary>
internal sealed class MunmapStorm : Workload
{
    public override string Name => "munmap-storm";

    public override string Summary => "threads of one process map, write and unmap 1 to 16 pages each";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("storm");
        run.StartThreads(process, cpu => Thread(run, cpu, process));
    }

    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process)
    {
        int first = WorkloadRun.PartOf(cpu);
        while (run.HasTime(cpu))
        {
            int pages = 1 + run.Random(cpu, 16);
            await run.Kernel.Mmap(cpu, process, first, pages);
            await run.Kernel.Touch(cpu, process, first, pages);
            await run.Kernel.Machine.Boundary(cpu);
            await run.Kernel.Munmap(cpu, process, first, pages);
            await run.Kernel.Machine.Boundary(cpu);
            run.Work++;
        }
    }
}

/// <summary>Threads of one process write their buffers and give the pages back.</summary>
internal sealed class MadviseStorm : Workload
{
    private const int BufferPages = 64;

    public override string Name => "madvise-storm";

    public override string Summary => "threads of one process write 8 pages and give them back with MADV_DONTNEED";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("storm");
        foreach (TimedCpu cpu in run.Kernel.Machine.Cpus)
        {
            process.Areas!.Set(WorkloadRun.PartOf(cpu.Cpu), WorkloadRun.PartOf(cpu.Cpu) + BufferPages, true, true);
        }

        run.StartThreads(process, cpu => Thread(run, cpu, process));
    }

    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process)
    {
        const int Pages = 8;
        while (run.HasTime(cpu))
        {
            int first = WorkloadRun.PartOf(cpu) + run.Random(cpu, BufferPages - Pages);
            await run.Kernel.Touch(cpu, process, first, Pages);
            await run.Kernel.Machine.Boundary(cpu);
            await run.Kernel.MadviseDontneed(cpu, process, first, Pages);
            await run.Kernel.Machine.Boundary(cpu);
            run.Work++;
        }
    }
}

/// <summary>An allocator: threads work in their arenas, and give unused runs of pages back now and then.</summary>
internal sealed class AllocatorPurge : Workload
{
    private const int ArenaPages = 2048;

    public override string Name => "allocator-purge";

    public override string Summary => "threads work in arenas of 8 MiB; every 100 us a run of 1 to 64 pages is purged";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("service");
        foreach (TimedCpu cpu in run.Kernel.Machine.Cpus)
        {
            process.Areas!.Set(WorkloadRun.PartOf(cpu.Cpu), WorkloadRun.PartOf(cpu.Cpu) + ArenaPages, true, true);
        }

        run.StartThreads(process, cpu => Thread(run, cpu, process));
    }

    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process)
    {
        int arena = WorkloadRun.PartOf(cpu);
        while (run.HasTime(cpu))
        {
            for (int i = 0; i < 100; i++)
            {
                await run.Kernel.Access(cpu, process, arena + run.Random(cpu, ArenaPages), true);
                await run.Kernel.Machine.Compute(cpu, 1000);
                run.Work++;
            }

            int pages = 1 + run.Random(cpu, 64);
            await run.Kernel.MadviseDontneed(cpu, process, arena + run.Random(cpu, ArenaPages - pages), pages);
            await run.Kernel.Machine.Boundary(cpu);
        }
    }
}
