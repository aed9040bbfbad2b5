using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>munmap that returns before other CPUs have flushed, and keeps the address until they have.</summary>
internal sealed class LatrMunmap(KernelModel kernel, LatrMistake mistake) : Munmap(kernel)
{
    private readonly LatrMistake _mistake = mistake;

    private LatrFlush Latr => (LatrFlush)Kernel.TlbFlush;

    public override async Proc GetUnmappedArea(Cpu cpu, Mm mm, int first, int count)
        => await Latr.WaitForAddresses(cpu, mm, first, count, _mistake != LatrMistake.AddressNotKept);

    public override bool IsAddressKept(Mm mm, int first, int count) => Latr.Keeps(mm, first, count);

    protected override async Proc FinishMunmap(TlbGather tlb, Promise promise)
    {
        bool deferred = await ((LatrGather)Kernel.MmuGather).TlbFinishLazily(
            tlb, PageRange.Of(promise.FirstPage, promise.PageCount), NumberOf(promise));
        await Kernel.MmapLock.MmapReadUnlock(tlb.Cpu, tlb.Mm);
        if (!deferred)
        {
            await tlb.Cpu.ReturnPromise(promise);
        }
    }

    /// <summary>1 + the position among the machine's promises, which machines of real size do not keep.</summary>
    private ulong NumberOf(Promise promise)
    {
        for (int i = 0; i < Machine.Promises.Count; i++)
        {
            if (ReferenceEquals(Machine.Promises[i], promise))
            {
                return (ulong)i + 1;
            }
        }

        return 0;
    }
}
