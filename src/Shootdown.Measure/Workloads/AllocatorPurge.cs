using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>An allocator: threads work in their arenas, and give unused runs of pages back now and then.</summary>
internal sealed class AllocatorPurge : Workload
{
    private const int ArenaPages = 2048;

    public override string Name => "allocator-purge";

    public override string Summary => "threads work in arenas of 8 MiB; every 100 us a run of 1 to 64 pages is purged";

    public override string Unit => "stores";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.NewParts("service", ArenaPages);
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
