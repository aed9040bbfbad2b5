using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A kernel thread moves pages of a process, as compaction does.</summary>
internal sealed class MigrationWorkload : Workload
{
    private const int HeapPages = 4096;
    private const int Batch = 32;

    public override string Name => "migration";

    public override string Summary => "threads use a heap of 16 MiB; a kernel thread moves 32 of its pages every millisecond";

    public override string Unit => "accesses";

    internal override void Start(WorkloadRun run)
    {
        (Mm process, int heap) = run.NewHeap("service", HeapPages);
        run.Prepare(process, cpu => run.Kernel.Touch(cpu, process, heap, HeapPages));
        run.StartBesideKernelThread(
            process, cpu => HeapUser.Run(run, cpu, process, heap, HeapPages), cpu => Kcompactd(run, cpu, process, heap));
    }

    private static async Proc Kcompactd(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Machine.Compute(cpu, 1_000_000);
            await PageMover.Move(run, cpu, process, heap, HeapPages, Batch);
            await run.Kernel.Machine.Boundary(cpu);
        }
    }
}
