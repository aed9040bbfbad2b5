using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A server that saves itself by fork, as a database does: its threads then copy what they write.</summary>
internal sealed class ForkServer : Workload
{
    private const int HeapPages = 4096;
    private const long BetweenForksNs = 20_000_000;

    public override string Name => "fork-server";

    public override string Summary => "threads write to a heap of 16 MiB; every 20 ms the process forks, and what is written is copied";

    public override string Unit => "stores";

    internal override void Start(WorkloadRun run)
    {
        (Mm process, int heap) = run.NewHeap("server", HeapPages);
        run.Prepare(process, cpu => run.Kernel.Touch(cpu, process, heap, HeapPages));
        run.StartThreads(process, cpu => cpu.Index == 0 ? Forks(run, cpu, process, heap) : Thread(run, cpu, process, heap));
    }

    private static async Proc Forks(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Machine.Compute(cpu, BetweenForksNs / 2);
            Mm child = await run.Kernel.Fork(cpu, process);
            await run.Kernel.Machine.Compute(cpu, BetweenForksNs / 2);
            await run.Kernel.Exit(cpu, child);
            run.Kernel.Drop(child);
            await run.Kernel.Machine.Boundary(cpu);
        }
    }

    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Access(cpu, process, heap + run.Random(cpu, HeapPages), true);
            await run.Kernel.Machine.Compute(cpu, 2000);
            run.Work++;
        }
    }
}
