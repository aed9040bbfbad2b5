using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A thread that works on a heap: three reads for a write, two microseconds of computing behind each.</summary>
internal static class HeapUser
{
    internal static async Proc Run(WorkloadRun run, Cpu cpu, Mm process, int heap, int pages)
    {
        while (run.HasTime(cpu))
        {
            await run.Kernel.Access(cpu, process, heap + run.Random(cpu, pages), run.Random(cpu, 4) == 0);
            await run.Kernel.Machine.Compute(cpu, 2000);
            run.Work++;
        }
    }
}
