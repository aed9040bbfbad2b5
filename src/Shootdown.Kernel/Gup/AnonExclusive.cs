using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The mark that an anonymous page belongs to one process alone (PageAnonExclusive), and pins (include/linux/mm.h, include/linux/rmap.h).
/// A page can be pinned only while it is exclusive, and stops being exclusive only while it is not pinned.
/// </summary>
/// <remarks>
/// Who shares a page: clears its entry (or holds write_protect_seq), full fence, looks for pins, clears the mark, full fence. Who
/// pins one: takes the pin (fully ordered), looks at the entry again, and if that is read-only at the mark. Whichever comes second sees
/// the other. A pin is a reference too, so a count of pins that is stale for a moment can only be too high. Since 6.0; 088b8aa537c2
/// put the fences in.
/// </remarks>
public class AnonExclusive(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>include/linux/mm.h: <c>folio_maybe_dma_pinned</c>. For small folios the kernel's answer may also be a wrong yes.</summary>
    public virtual async Proc<bool> FolioMaybeDmaPinned(Cpu cpu, int frame)
        => Kernel.Options.Pins && await cpu.Load(
            Kernel.Folios[frame].Frame.PinCount, weight: StepWeight.Key, text: $"folio_maybe_dma_pinned(frame {frame})") != 0;

    /// <summary>
    /// include/linux/rmap.h: <c>folio_try_share_anon_rmap_pte</c>: false if the page must stay exclusive because it may be
    /// pinned. The caller has cleared the entry; if this fails, it puts the entry back.
    /// </summary>
    public virtual async Proc<bool> FolioTryShareAnonRmapPte(Cpu cpu, int frame)
    {
        if (Kernel.Options.Pins)
        {
            // The entry is cleared before pins are counted: pairs with the pin of GUP-fast, which then reads the entry again.
            await cpu.FullBarrier();
            if (await FolioMaybeDmaPinned(cpu, frame))
            {
                return false;
            }
        }

        await ClearPageAnonExclusive(cpu, frame);
        return true;
    }

    /// <summary>
    /// include/linux/page-flags.h: <c>ClearPageAnonExclusive</c>, with the <c>smp_mb__after_atomic</c> that keeps a restored entry behind it.
    /// </summary>
    public virtual async Proc ClearPageAnonExclusive(Cpu cpu, int frame)
        => await cpu.Store(
            Kernel.Folios[frame].AnonExclusive, 0, weight: Kernel.Options.Pins ? StepWeight.Key : StepWeight.Detail);

    /// <summary>
    /// include/linux/rmap.h: <c>folio_try_dup_anon_rmap_pte</c>, for fork: false if the child must get a copy. No fence: fork holds
    /// write_protect_seq odd instead.
    /// </summary>
    public virtual async Proc<bool> FolioTryDupAnonRmapPte(Cpu cpu, int frame)
    {
        if (Kernel.Options.Pins && await cpu.Load(Kernel.Folios[frame].AnonExclusive) != 0 && await FolioMaybeDmaPinned(cpu, frame))
        {
            return false;
        }

        await cpu.Store(Kernel.Folios[frame].AnonExclusive, 0);
        return true;
    }

    /// <summary>
    /// include/linux/mm.h: <c>gup_must_unshare</c>: true if a page that is mapped read-only must not be pinned, because the next
    /// store of the process would go to a copy. The pin comes before the read (<c>smp_rmb</c>; x86 keeps loads in order).
    /// </summary>
    public virtual async Proc<bool> GupMustUnshare(GupCall call, int frame)
    {
        ArgumentNullException.ThrowIfNull(call);
        return call.Pins && call.Mm.FileAreaOf(call.Page) is null
            && await call.Cpu.Load(Kernel.Folios[frame].AnonExclusive, weight: StepWeight.Key) == 0;
    }
}
