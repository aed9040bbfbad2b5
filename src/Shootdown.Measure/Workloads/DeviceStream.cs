using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// A device reads a process's memory through page tables that it shares, while the process gives memory back and a kernel thread
/// reclaims some. The last CPU stands for the device.
/// </summary>
internal sealed class DeviceStream : Workload
{
    private const int HeapPages = 4096;
    private const int GivenBackPages = 8;
    private const int ReclaimedPages = 32;

    public override string Name => "device-stream";

    public override string Summary => "a device with a TLB of its own reads a heap of 16 MiB that threads use, give back and reclaim";

    public override string Unit => "device loads";

    internal override void Start(WorkloadRun run)
    {
        (Mm process, int heap) = run.NewHeap("service", HeapPages);
        var device = new TimedDevice(run.Kernel, process, "device");
        run.Prepare(process, cpu => run.Kernel.Touch(cpu, process, heap, HeapPages));
        run.StartBesideKernelThread(process, cpu => Thread(run, cpu, process, heap), cpu => Stream(run, cpu, device, heap));
    }

    private static async Proc Stream(WorkloadRun run, Cpu cpu, TimedDevice device, int heap)
    {
        while (run.HasTime(cpu))
        {
            await device.Load(cpu, heap + run.Random(cpu, HeapPages));
            await run.Kernel.Machine.Boundary(cpu);
            run.Work++;
        }
    }

    /// <summary>A hundred accesses, then 8 pages are given back; CPU 0 reclaims 32 pages besides (MADV_PAGEOUT).</summary>
    private static async Proc Thread(WorkloadRun run, Cpu cpu, Mm process, int heap)
    {
        while (run.HasTime(cpu))
        {
            for (int i = 0; i < 100; i++)
            {
                await run.Kernel.Access(cpu, process, heap + run.Random(cpu, HeapPages), run.Random(cpu, 4) == 0);
                await run.Kernel.Machine.Compute(cpu, 2000);
            }

            await run.Kernel.MadviseDontneed(cpu, process, heap + run.Random(cpu, HeapPages - GivenBackPages), GivenBackPages);
            await run.Kernel.Machine.Boundary(cpu);
            if (cpu.Index == 0)
            {
                await run.Kernel.MadvisePageout(cpu, process, heap + run.Random(cpu, HeapPages - ReclaimedPages), ReclaimedPages);
                await run.Kernel.Machine.Boundary(cpu);
            }
        }
    }
}
