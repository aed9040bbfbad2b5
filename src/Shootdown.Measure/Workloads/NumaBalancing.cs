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

    public override string Unit => "accesses";

    internal override void Start(WorkloadRun run)
    {
        (Mm process, int heap) = run.NewHeap("service", HeapPages);
        run.Prepare(process, cpu => run.Kernel.Touch(cpu, process, heap, HeapPages));
        run.StartThreads(process, cpu => cpu.Index == 0 ? Scans(run, cpu, process, heap) : HeapUser.Run(run, cpu, process, heap, HeapPages));
    }

    private static async Proc Scans(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
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
