using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Threads of one process write their buffers and give the pages back.</summary>
internal sealed class MadviseStorm : Workload
{
    private const int BufferPages = 64;

    public override string Name => "madvise-storm";

    public override string Summary => "threads of one process write 8 pages and give them back with MADV_DONTNEED";

    public override string Unit => "rounds";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.NewParts("storm", BufferPages);
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
