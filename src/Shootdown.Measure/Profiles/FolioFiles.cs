using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// Mappings of files as a replay needs them: a trace names neither files nor what of them is cached, so a page of a file is a frame
/// that says so (<c>folio->mapping</c>), and no file stands behind it. What flushes depend on is the kernel's: copies of private
/// pages, dirty pages of shared ones, what fork copies.
/// </summary>
internal static class FolioFiles
{
    /// <summary>A mapping that is no file's: pages of it are never written out or reclaimed.</summary>
    private const ulong SomeFile = 1;

    /// <summary>Memory that processes share (mm/shmem.c).</summary>
    private const ulong SharedMemory = 2;

    /// <summary>The parts of a kernel, whatever they are, that tell files by folios.</summary>
    public static KernelParts In(KernelParts parts) => parts with { FolioKinds = kernel => new TracedFolioKinds(kernel) };

    /// <summary>True if the frame is one of a file, or of shared memory.</summary>
    public static bool Holds(KernelModel kernel, int frame) => kernel.Machine.Timed!.Memory.OfFrame(frame, FrameSlot.Mapping) != 0;

    /// <summary>True if the frame is one of shared memory.</summary>
    public static bool HoldsMemory(KernelModel kernel, int frame)
        => kernel.Machine.Timed!.Memory.OfFrame(frame, FrameSlot.Mapping) == SharedMemory;

    /// <summary>
    /// mm/memory.c: <c>do_read_fault</c> and <c>do_shared_fault</c> down to <c>set_pte_range</c>, for a page that is in the page cache.
    /// Nothing, if something is mapped there.
    /// </summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="page">The page.</param>
    /// <param name="write">True for an entry that allows writing.</param>
    /// <param name="isMemory">True for shared memory: nobody is told of a first write (<c>vma_wants_writenotify</c>).</param>
    public static async Proc MapPage(KernelModel kernel, Cpu cpu, Mm mm, int page, bool write, bool isMemory)
    {
        await kernel.PageWalk.PteAlloc(cpu, mm, page);
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        if ((await cpu.EntryRead(table, page)).IsNone)
        {
            int frame = kernel.Machine.Timed!.Tables.AllocFrame();
            await cpu.Assert(frame >= 0, "a page is free");
            await cpu.Store(kernel.Folios[frame].Mapping, isMemory ? SharedMemory : SomeFile);
            await kernel.Rmap.FolioAddRmapPte(cpu, frame);
            await kernel.PteOps.SetPteAt(cpu, table, page, Pte.Leaf(frame, write, dirty: write));
        }

        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
    }

    /// <summary>mm/memory.c: <c>wp_page_shared</c>: a page of a shared mapping becomes writable, without a flush.</summary>
    public static async Proc MakeWritable(KernelModel kernel, Cpu cpu, Mm mm, int page)
    {
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        if (table.Index < 0)
        {
            return;
        }

        Pte entry = await cpu.EntryRead(table, page);
        if (entry.Present)
        {
            await kernel.PageFault.WpPageReuse(cpu, table, page, entry);
        }

        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
    }
}

/// <summary>The folio says whether it is a file's; the way from such a page to its entries is not known, so it is not reclaimed.</summary>
internal sealed class TracedFolioKinds(KernelModel kernel) : FolioKinds(kernel)
{
    /// <inheritdoc/>
    public override bool IsFile(Mm mm, int page, int frame) => FolioFiles.Holds(Kernel, frame);

    /// <inheritdoc/>
    public override bool IsCopied(int frame) => !FolioFiles.Holds(Kernel, frame);

    /// <inheritdoc/>
    public override bool IsOnLru(int frame) => !FolioFiles.Holds(Kernel, frame);

    /// <inheritdoc/>
    public override bool IsWritableWithArea(int frame) => FolioFiles.HoldsMemory(Kernel, frame);
}
