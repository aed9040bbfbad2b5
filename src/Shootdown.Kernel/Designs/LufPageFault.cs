using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class LufPageFault(KernelModel kernel, ReuseMistake mistake) : PageFault(kernel)
{
    private readonly ReuseMistake _mistake = mistake;

    private LufBatch Luf => (LufBatch)Kernel.TlbBatch;

    /// <summary>An address that may be stored to from now on: who still has the old page must not read it then.</summary>
    public override async Proc DoSwapPage(Cpu cpu, Mm mm, PageTable table, int page, bool write, bool mayWrite)
    {
        if (mayWrite)
        {
            await FlushOwed(cpu);
        }

        await base.DoSwapPage(cpu, mm, table, page, write, mayWrite);
    }

    /// <summary>The same for a page that was migrated: its new frame is about to be stored to.</summary>
    public override async Proc WpPageReuse(Cpu cpu, PageTable table, int page, Pte entry)
    {
        await FlushOwed(cpu);
        await base.WpPageReuse(cpu, table, page, entry);
    }

    /// <summary>A frame that is owed nothing, or else one that is flushed first.</summary>
    public override async Proc<int> AllocFrame(Cpu cpu, int page)
    {
        int frame = await cpu.AllocFrame(page);
        if (frame < 0)
        {
            await Luf.LufFlush(cpu);
            frame = await base.AllocFrame(cpu, page);
        }

        return frame;
    }

    /// <summary>luf_flush() before an entry allows stores.</summary>
    [KernelName]
    private async Proc FlushOwed(Cpu cpu)
    {
        if (_mistake != ReuseMistake.MadeWritable && await Luf.IsOwed(cpu))
        {
            await Luf.LufFlush(cpu);
        }
    }
}
