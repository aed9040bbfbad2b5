using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// The way from an anonymous page to its entries on a machine of real size. Small machines look at every page of every address
/// space; here the machine knows where a frame may be mapped, as the interval trees of anon_vmas do. Every place is looked at by the
/// same code as there.
/// </summary>
internal sealed class IndexedRmap(KernelModel kernel) : Rmap(kernel)
{
    /// <inheritdoc/>
    protected override async Proc<ulong> RmapWalkAnon(Cpu cpu, int frame, RmapWalker walker, ulong argument)
    {
        var places = new List<(int Space, int Page)>();
        Machine.Timed!.Tables.PlacesOf(frame, places);
        ulong result = 0;
        for (int i = 0; i < places.Count; i++)
        {
            Mm mm = Kernel.Mms[places[i].Space];
            await FolioLockAnonVmaRead(cpu, mm);
            result |= await PageVmaMappedWalk(cpu, mm, places[i].Page, frame, walker, argument);
            await AnonVmaUnlockRead(cpu, mm);
        }

        return result;
    }

}
