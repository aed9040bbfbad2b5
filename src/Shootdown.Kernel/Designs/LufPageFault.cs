using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class LufPageFault(KernelModel kernel) : PageFault(kernel)
{
    /// <summary>A frame that is owed nothing, or else one that is flushed first.</summary>
    protected override async Proc<int> AllocFrame(Cpu cpu, int page)
    {
        int frame = await cpu.AllocFrame(page);
        if (frame < 0)
        {
            await ((LufBatch)Kernel.TlbBatch).LufFlush(cpu);
            frame = await base.AllocFrame(cpu, page);
        }

        return frame;
    }
}
