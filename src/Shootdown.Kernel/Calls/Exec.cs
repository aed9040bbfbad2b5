using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary><c>execve</c> (fs/exec.c): the stack of the new program is moved to its place. Needs <see cref="KernelOptions.AnonMoves"/>.</summary>
public class Exec(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// fs/exec.c: the part of <c>setup_arg_pages</c> that holds mmap_lock for writing. Promises that nobody reaches the pages at their old
    /// addresses once it has returned.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space of the new program.</param>
    /// <param name="promise">The pages of the stack, where the arguments have been written.</param>
    /// <param name="newFirst">First page of their place. Linux moves them down, or not at all.</param>
    public virtual async Proc SetupArgPages(Cpu cpu, Mm mm, Promise promise, int newFirst)
    {
        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        await ShiftArgPages(cpu, mm, promise.FirstPage, promise.PageCount, newFirst);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
        await cpu.ReturnPromise(promise);
    }

    /// <summary>
    /// fs/exec.c: <c>shift_arg_pages</c>: the area is widened to both places, the entries move, the tables of the old place are freed by a gather
    /// of their own, and the area shrinks to the new place. While it is wide, walks from a page to its entries look at the new place only.
    /// </summary>
    public virtual async Proc ShiftArgPages(Cpu cpu, Mm mm, int oldFirst, int count, int newFirst)
    {
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        await Kernel.MmapLock.StoreVmas(cpu, mm, areas.With(newFirst, count));
        await Kernel.Rmap.UnlinkAnonVmas(cpu, mm, oldFirst, count);
        await Kernel.Rmap.AnonVmaClone(cpu, mm, newFirst, count);
        await Kernel.Mremap.MovePageTables(cpu, mm, oldFirst, newFirst, count);

        areas = await Kernel.MmapLock.FindVma(cpu, mm);
        VmAreas remaining = areas.Without(oldFirst, count);
        await Kernel.LruLists.LruAddDrain(cpu);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await Kernel.PageTableFree.FreePgdRange(tlb, oldFirst, count, remaining);
        await Kernel.MmuGather.TlbFinishMmu(tlb);
        await Kernel.MmapLock.StoreVmas(cpu, mm, remaining);
    }
}
