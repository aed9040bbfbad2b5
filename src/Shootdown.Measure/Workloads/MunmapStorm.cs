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
