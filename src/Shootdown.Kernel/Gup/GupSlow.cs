using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The slow way to look a page up (mm/gup.c): under the table's lock, with a page fault and another try where the entry does not
/// allow what is asked for. The fault drops all locks, so the page that it made may be gone again at the next try.
/// </summary>
/// <remarks>
/// The kernel keeps mmap_lock from try to try unless the fault drops it (FAULT_FLAG_ALLOW_RETRY); here it is always dropped in between. A fault
/// that only unshares (FAULT_FLAG_UNSHARE) is a write fault here, where the area may be written.
/// </remarks>
public class GupSlow(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/gup.c: <c>pin_user_pages</c>, or <c>get_user_pages</c>, for one page: the frame; -1 if the area does not allow it.
    /// </summary>
    public virtual async Proc<int> PinUserPages(GupCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Cpu.BeginPin(call.Request);
        int frame = await GetUserPages(call);
        await call.Cpu.ReturnPin(call.Request, frame);
        return frame;
    }

    /// <summary>mm/gup.c: <c>__get_user_pages</c> for one page: the frame; -1 if the area does not allow it.</summary>
    [KernelName("__get_user_pages")]
    public virtual async Proc<int> GetUserPages(GupCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        GupFlags flags = call.Flags;
        while (true)
        {
            int frame = await FollowPagePte(call, flags);
            if (frame >= 0)
            {
                return frame;
            }

            if (!await FaultinPage(call, flags, frame == MustUnshare))
            {
                return -1;
            }

            flags = AfterFault(call, flags);
        }
    }

    /// <summary>Result of <see cref="FollowPagePte"/>: the page is there, but must be unshared first (-EMLINK).</summary>
    protected const int MustUnshare = -2;

    /// <summary>
    /// mm/gup.c: <c>follow_page_pte</c>, with the mmap_lock that <c>__get_user_pages</c> holds: the frame, with a reference or a pin; negative if
    /// there must be a fault first.
    /// </summary>
    public virtual async Proc<int> FollowPagePte(GupCall call, GupFlags flags)
    {
        ArgumentNullException.ThrowIfNull(call);
        Cpu cpu = call.Cpu;
        await Kernel.MmapLock.MmapReadLock(cpu, call.Mm);
        if (!(await Kernel.MmapLock.FindVma(cpu, call.Mm)).Covers(call.Page, 1))
        {
            await Kernel.MmapLock.MmapReadUnlock(cpu, call.Mm);
            return -1;
        }

        if (Kernel.HugeMemory.MapsFile(call.Mm, call.Page))
        {
            int part = await Kernel.HugeMemory.FollowTransHugePmd(call, flags);
            if (part >= 0)
            {
                await Kernel.MmapLock.MmapReadUnlock(cpu, call.Mm);
                return part;
            }
        }

        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, call.Mm, call.Page);
        if (table.Index < 0)
        {
            await Kernel.MmapLock.MmapReadUnlock(cpu, call.Mm);
            return -1;
        }

        Pte pte = await cpu.EntryRead(table, call.Page);
        int result = -1;
        if (pte.Present && ((flags & GupFlags.Write) == 0 || await CanFollowWritePte(call, pte)))
        {
            result = !pte.Write && await Kernel.AnonExclusive.GupMustUnshare(call, pte.Frame) ? MustUnshare : pte.Frame;
        }

        if (result >= 0)
        {
            await Kernel.Gup.TryGrabFolioFast(call, result);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        await Kernel.MmapLock.MmapReadUnlock(cpu, call.Mm);
        return result;
    }

    /// <summary>
    /// mm/gup.c: <c>can_follow_write_pte</c> (6.0, 5535be309971): a write through a read-only entry only with FOLL_FORCE, where the area
    /// itself is read-only, and only to a page that belongs to this process alone: what the fault has copied.
    /// </summary>
    public virtual async Proc<bool> CanFollowWritePte(GupCall call, Pte pte)
    {
        ArgumentNullException.ThrowIfNull(call);
        return pte.Write || (call.Forces && await call.Cpu.Load(Kernel.Folios[pte.Frame].AnonExclusive, weight: StepWeight.Key) != 0);
    }

    /// <summary>mm/gup.c: <c>faultin_page</c>: false if there can be no page.</summary>
    public virtual async Proc<bool> FaultinPage(GupCall call, GupFlags flags, bool unshare)
    {
        ArgumentNullException.ThrowIfNull(call);
        bool write = (flags & GupFlags.Write) != 0 || unshare;
        return await Kernel.PageFault.HandleMmFault(call.Cpu, call.Mm, call.Page, write, call.Forces);
    }

    /// <summary>
    /// mm/gup.c: what <c>faultin_page</c> makes of the flags: nothing. Until 4.8 a write to a read-only area became a read once the fault
    /// had made a copy.
    /// </summary>
    protected virtual GupFlags AfterFault(GupCall call, GupFlags flags) => flags;
}
