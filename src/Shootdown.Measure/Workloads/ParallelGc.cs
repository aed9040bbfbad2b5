using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// A compacting collector beside the program: collectors protect a region, copy what is alive, give the old pages back and lift the
/// protection; now and then they move a large object by its page tables.
/// </summary>
internal sealed class ParallelGc : Workload
{
    private const int RegionPages = 512;
    private const int LivePages = 64;
    private const int RegionsPerCpu = 2;
    private const int LargePages = 32;
    private const int CollectorShare = 4;
    private const long BetweenRegionsNs = 200_000;

    public override string Name => "parallel-gc";

    public override string Summary => "a quarter of the threads compacts 2 MiB regions (mprotect, copy, madvise, mremap), the others use the heap";

    public override string Unit => "accesses";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("java");
        int heap = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        int regions = RegionsPerCpu * run.Cpus;
        process.Areas!.Set(heap, heap + (regions * RegionPages), true, true);
        run.Prepare(process, cpu => Fill(run, cpu, process, heap, regions));
        int collectors = Math.Max(1, run.Cpus / CollectorShare);
        run.StartThreads(process, cpu => cpu.Index < collectors
            ? Collector(run, cpu, process, heap + (cpu.Index * RegionPages * 2))
            : Mutator(run, cpu, process, heap, regions, collectors));
    }

    /// <summary>The live part of every region.</summary>
    private static async Proc Fill(WorkloadRun run, Cpu cpu, Mm process, int heap, int regions)
    {
        for (int region = 0; region < regions; region++)
        {
            await run.Kernel.Touch(cpu, process, heap + (region * RegionPages), LivePages);
        }
    }

    /// <summary>Its two regions take turns: what is alive in one goes to the other. Stores are kept out meanwhile, loads are not.</summary>
    private static async Proc Collector(WorkloadRun run, Cpu cpu, Mm process, int regions)
    {
        int large = WorkloadRun.PartOf(cpu) + (1 << 19);
        await run.Kernel.Mmap(cpu, process, large, LargePages);
        await run.Kernel.Touch(cpu, process, large, LargePages);
        for (int cycle = 0; run.HasTime(cpu); cycle++)
        {
            int from = regions + (cycle % 2 * RegionPages);
            int to = regions + ((cycle + 1) % 2 * RegionPages);
            await run.Kernel.MprotectReadOnly(cpu, process, from, RegionPages);
            await run.Kernel.Machine.Boundary(cpu);
            for (int page = 0; page < LivePages; page++)
            {
                await run.Kernel.Access(cpu, process, from + page, false);
                await run.Kernel.Access(cpu, process, to + page, true);
                run.Kernel.Machine.Charge(cpu, run.Kernel.Machine.Costs["memory.copy_page_ns"]);
            }

            await run.Kernel.MadviseDontneed(cpu, process, from, RegionPages);
            await run.Kernel.MprotectWritable(cpu, process, from, RegionPages);
            int next = WorkloadRun.PartOf(cpu) + ((2 + (cycle % 2)) << 18);
            await run.Kernel.Mremap(cpu, process, large, LargePages, next);
            large = next;
            await run.Kernel.Machine.Compute(cpu, BetweenRegionsNs);
        }
    }

    /// <summary>Loads from anywhere; stores only into regions that no collector works on.</summary>
    private static async Proc Mutator(WorkloadRun run, Cpu cpu, Mm process, int heap, int regions, int collectors)
    {
        while (run.HasTime(cpu))
        {
            bool write = run.Random(cpu, 4) == 0;
            int firstRegion = write ? 2 * collectors : 0;
            int region = firstRegion + run.Random(cpu, regions - firstRegion);
            await run.Kernel.Access(cpu, process, heap + (region * RegionPages) + run.Random(cpu, LivePages), write);
            await run.Kernel.Machine.Compute(cpu, 500);
            run.Work++;
        }
    }
}
