using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A kernel thread reclaims pages of a process, which faults them in again.</summary>
internal sealed class ReclaimUnderPressure : Workload
{
    private const int HeapPages = 8192;
    private const int Batch = 32;

    public override string Name => "reclaim";

    public override string Summary => "threads use a heap of 32 MiB; a kernel thread reclaims 32 of its pages every millisecond";

    public override string Unit => "accesses";

    internal override void Start(WorkloadRun run)
    {
        (Mm process, int heap) = run.NewHeap("service", HeapPages);
        run.Prepare(process, cpu => run.Kernel.Touch(cpu, process, heap, HeapPages));
        run.StartBesideKernelThread(
            process, cpu => HeapUser.Run(run, cpu, process, heap, HeapPages), cpu => Kswapd(run, cpu, process, heap));
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
