using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// will-it-scale, tests/tlb_flush2.c: every thread maps 1 MiB, and page by page stores, gives the page back and loads. Read at commit
/// 3368dc8be7f9.
/// </summary>
internal sealed class TlbFlush2 : Workload
{
    private const int MemoryPages = 256;

    public override string Name => "tlb-flush2";

    public override string Summary => "will-it-scale tlb_flush2_threads: per page of 1 MiB a store, madvise(MADV_DONTNEED) and a load";

    public override string Unit => "loops";

    internal override void Start(WorkloadRun run)
    {
        Mm process = run.Kernel.NewProcess("tlb_flush2");
        run.StartThreads(process, cpu => Thread(run, cpu, process));
    }

    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process)
    {
        while (run.HasTime(cpu))
        {
            int first = run.FreeAddress(cpu, process, MemoryPages);
            await run.Kernel.Mmap(cpu, process, first, MemoryPages);
            for (int page = first; page < first + MemoryPages && run.HasTime(cpu); page++)
            {
                await run.Kernel.Access(cpu, process, page, true);
                await run.Kernel.MadviseDontneed(cpu, process, page, 1);
                await run.Kernel.Machine.Boundary(cpu);
                await run.Kernel.Access(cpu, process, page, false);
                await run.Kernel.Machine.Boundary(cpu);
                run.Work++;
            }

            await run.Kernel.Munmap(cpu, process, first, MemoryPages);
            await run.Kernel.Machine.Boundary(cpu);
        }
    }
}
