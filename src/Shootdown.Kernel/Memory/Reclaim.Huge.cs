using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <content>Huge folios of files: written and freed as a whole.</content>
public partial class Reclaim
{
    /// <summary>The IO of <c>pageout</c> for a huge folio of a file.</summary>
    [KernelName("pageout")]
    private async Proc WriteHugeFolio(Cpu cpu, int folio, FolioMapping mapping)
    {
        for (int i = 0; i < Machine.Paging.SpanOf(1); i++)
        {
            ulong contents = await cpu.WriteFrame(folio + i, "writepage");
            if (Kernel.Options.SwapData)
            {
                await cpu.Store(Kernel.Files[mapping.File].Disk[mapping.Index + i], contents);
            }
        }
    }

    /// <summary>mm/vmscan.c: <c>__remove_mapping</c> for a huge folio of a file.</summary>
    [KernelName("__remove_mapping")]
    private async Proc<bool> RemoveHugeMapping(Cpu cpu, int folio, FolioMapping mapping)
    {
        if (!await Kernel.CompoundFolios.FolioRefFreeze(cpu, folio))
        {
            return false;
        }

        if (await cpu.Load(Kernel.Folios[folio].Frame.Dirty) != 0)
        {
            await Kernel.CompoundFolios.FolioRefUnfreeze(cpu, folio, Machine.Paging.SpanOf(1));
            return false;
        }

        await Kernel.CompoundFolios.FilemapRemoveFolio(cpu, folio, mapping);
        return true;
    }
}
