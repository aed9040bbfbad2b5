using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// XSBench on tiered memory, as far as its flushes go: 14 threads look up read-only tables at random, and pages are moved between tiers all the
/// time. Every page is mapped read-only, as pages are that were moved behind a NUMA hint. Moving stands for promotion and demotion alike;
/// the second tier is as fast as the first.
/// </summary>
internal sealed class TieredLookup : Workload
{
    private const int TablePages = 16384;
    private const int FreePages = 2048;
    private const int MovedPages = 32;
    private const long BetweenMovesNs = 500_000;

    public override string Name => "tiered-lookup";

    public override string Summary => "XSBench on tiered memory: threads look up read-only tables of 64 MiB, a kernel thread moves 32 pages every 0.5 ms";

    public override string Unit => "lookups";

    internal override int Frames => TablePages + FreePages;

    internal override void Start(WorkloadRun run)
    {
        (Mm process, int heap) = run.NewHeap("XSBench", TablePages);
        run.Prepare(process, cpu => Fill(run, cpu, process, heap));
        run.StartBesideKernelThread(process, cpu => Thread(run, cpu, process, heap), cpu => Kmigrated(run, cpu, process, heap));
    }

    private static async Proc Fill(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        await run.Kernel.Touch(cpu, process, heap, TablePages);
        await run.Kernel.MprotectReadOnly(cpu, process, heap, TablePages);
    }

    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Access(cpu, process, heap + run.Random(cpu, TablePages), false);
            await run.Kernel.Machine.Compute(cpu, 300);
            run.Work++;
        }
    }

    private static async Proc Kmigrated(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Machine.Compute(cpu, BetweenMovesNs);
            await PageMover.Move(run, cpu, process, heap, TablePages, MovedPages);
            await run.Kernel.Machine.Boundary(cpu);
        }
    }
}
