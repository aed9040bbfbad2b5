using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Threads of one process map, write and unmap small regions as fast as they can.</summary>
internal sealed class MunmapStorm : Workload
{
    private const int RegionPagesMax = 16;

    public override string Name => "munmap-storm";

    public override string Summary => "threads of one process map, write and unmap 1 to 16 pages each";

    public override string Unit => "rounds";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("storm");
        run.StartThreads(process, cpu => Thread(run, cpu, process));
    }

    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process)
    {
        while (run.HasTime(cpu))
        {
            int pages = 1 + run.Random(cpu, RegionPagesMax);
            int first = run.FreeAddress(cpu, process, RegionPagesMax);
            await run.Kernel.Mmap(cpu, process, first, pages);
            await run.Kernel.Touch(cpu, process, first, pages);
            await run.Kernel.Machine.Boundary(cpu);
            await run.Kernel.Munmap(cpu, process, first, pages);
            await run.Kernel.Machine.Boundary(cpu);
            run.Work++;
        }
    }
}
