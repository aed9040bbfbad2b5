using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class LufFilemap(KernelModel kernel, ReuseMistake mistake) : Filemap(kernel)
{
    private readonly ReuseMistake _mistake = mistake;

    public override async Proc<int> FilemapAddFolio(Cpu cpu, FileMapping file, int index, int page)
    {
        var luf = (LufBatch)Kernel.TlbBatch;
        if (_mistake != ReuseMistake.PageCacheChanged && await luf.IsOwed(cpu))
        {
            await luf.LufFlush(cpu);
        }

        return await base.FilemapAddFolio(cpu, file, index, page);
    }
}
