using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A driver of a device (or hypervisor) that fills a secondary page table by faults. Derive, write the callbacks of the notifier and
/// <see cref="HandleFault"/>, and have it checked: docs/drivers.md.
/// </summary>
/// <remarks>
/// The device's fault is handled by a task, which then lets the access be tried again; meanwhile the device waits. References that
/// <c>get_user_pages</c> takes for the time of a fault are left out: nothing may depend on them, for they are given back before the
/// device uses the entry.
/// </remarks>
public abstract class SecondaryDriver : MachineHandle
{
    /// <summary>Makes the device, with an empty table.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space that it is used by.</param>
    /// <param name="name">Name for reports.</param>
    /// <param name="users">Users with TLBs of their own: vCPUs, engines.</param>
    protected SecondaryDriver(KernelModel kernel, Mm mm, string name, int users)
        : base(RequireKernel(kernel).Machine)
    {
        ArgumentNullException.ThrowIfNull(mm);
        Kernel = kernel;
        Mm = mm;
        Name = name;
        Mmu = new SoftwareMmu(Machine, mm.Space, name, users);
    }

    /// <summary>The kernel.</summary>
    public KernelModel Kernel { get; }

    /// <summary>The address space.</summary>
    public Mm Mm { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>The device's page table, and the TLBs in front of it.</summary>
    public SoftwareMmu Mmu { get; }

    /// <summary>
    /// True if the driver marks pages dirty when it removes writable entries (<see cref="FolioMarkDirty"/>), as KVM and RDMA's ODP do; false if
    /// it does so when it maps them, as <see cref="GetUserPage"/> for writing does for it.
    /// </summary>
    public virtual bool MarksDirtyAtUnmap => false;

    /// <summary>mm/page-writeback.c: <c>folio_mark_dirty</c>, for a page that the device may have stored to.</summary>
    [KernelName("folio_mark_dirty")]
    protected async Proc FolioMarkDirty(Cpu cpu, int frame) => await Kernel.Filemap.FolioMarkDirty(cpu, frame);

    /// <summary>The driver begins: its notifier is registered, and the device may be used.</summary>
    public abstract Proc Open(Cpu cpu);

    /// <summary>The driver's end: what its callbacks use is freed once this has returned.</summary>
    public abstract Proc Close(Cpu cpu);

    /// <summary>Handles a fault of the device: maps the page, or leaves it for another try; false if there is nothing to map.</summary>
    public abstract Proc<bool> HandleFault(Cpu cpu, int page, bool write);

    /// <summary>The device loads; false if nothing is mapped there.</summary>
    [KernelName]
    public virtual async Proc<bool> DeviceLoad(Cpu cpu, int page)
    {
        while ((await Mmu.AccessTouch(null, page)).Faulted)
        {
            if (!await HandleFault(cpu, page, false))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The device stores; false if nothing is mapped there that may be written.</summary>
    [KernelName]
    public virtual async Proc<bool> DeviceStore(Cpu cpu, int page, int value)
    {
        while ((await Mmu.AccessStore(null, page, value)).Faulted)
        {
            if (!await HandleFault(cpu, page, true))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Removes every entry of a range that there is; true if there was one, and TLBs must be flushed.</summary>
    [KernelName]
    protected async Proc<bool> ZapSptes(Cpu cpu, PageRange range, string function)
    {
        bool found = false;
        int end = Math.Min(range.End, Machine.Paging.PageCount);
        for (int page = range.Start; page < end; page++)
        {
            CallbackRange? endOf = page == end - 1 ? new CallbackRange(range.Start, end - range.Start, found) : null;
            found |= (await Mmu.SpteExchange(cpu, page, Pte.None, function, endOf)).Present;
        }

        return found;
    }

    /// <summary>
    /// mm/gup.c: <c>get_user_pages_fast</c> of one page: the entry that maps the page, faulted in if it must be; none if the access is
    /// not allowed. It looks without any lock. Who looks up for writing marks the page dirty.
    /// </summary>
    [KernelName("get_user_pages_fast")]
    protected async Proc<Pte> GetUserPage(Cpu cpu, int page, bool write)
    {
        while (true)
        {
            Pte entry = await GupFast(cpu, page, write);
            if (entry.Present)
            {
                return entry;
            }

            if (!await Kernel.PageFault.HandleMmFault(cpu, Mm, page, write))
            {
                return Pte.None;
            }
        }
    }

    /// <summary>
    /// mm/gup.c: <c>gup_fast</c>, without the reference, and so without the second look that it needs: what the entries say, level by level.
    /// Interrupts are off: whoever frees a table waits for that.
    /// </summary>
    [KernelName]
    private async Proc<Pte> GupFast(Cpu cpu, int page, bool write)
    {
        await cpu.InterruptsOff();
        PageTable table = Kernel.PageWalk.Root(Mm);
        Pte entry = await cpu.EntryReadLockless(Mm.Space, table, page, "ptep_get_lockless", StepWeight.Context);
        while (table.Level > 0 && entry.Present && !entry.Huge)
        {
            table = Kernel.PageWalk.Below(table, entry, page);
            entry = await cpu.EntryReadLockless(Mm.Space, table, page, "ptep_get_lockless", StepWeight.Context);
        }

        await cpu.InterruptsOn();
        if (!entry.Present || (write && !entry.Write))
        {
            return Pte.None;
        }

        if (write && !entry.Dirty && Mm.FileAreaOf(page)?.Kind != FileAreaKind.PfnMap)
        {
            await Kernel.Filemap.FolioMarkDirty(cpu, entry.Frame);
        }

        return entry.Huge ? Pte.Leaf(entry.Frame + (page % Machine.Paging.SpanOf(1)), entry.Write, entry.Dirty) : entry;
    }

    /// <summary>mm/gup.c: <c>follow_page_mask</c>: what maps the page now, if it allows the access; huge pages give the small page's frame.</summary>
    [KernelName("follow_page_mask")]
    protected async Proc<Pte> FollowPage(Cpu cpu, int page, bool write)
    {
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, Mm, page);
        if (table.Index < 0)
        {
            return Kernel.Options.Thp ? await FollowHugePmd(cpu, page, write) : Pte.None;
        }

        Pte entry = await cpu.EntryRead(table, page);
        bool allowed = entry.Present && (!write || entry.Write);
        if (allowed && write && !entry.Dirty && Mm.FileAreaOf(page)?.Kind != FileAreaKind.PfnMap)
        {
            await Kernel.Filemap.FolioMarkDirty(cpu, entry.Frame);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        return allowed ? entry : Pte.None;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static KernelModel RequireKernel(KernelModel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel;
    }

    /// <summary>mm/huge_memory.c: <c>follow_trans_huge_pmd</c>.</summary>
    private async Proc<Pte> FollowHugePmd(Cpu cpu, int page, bool write)
    {
        PageTable above = await Kernel.PageWalk.TableAt(cpu, Mm, page, 1);
        await cpu.SpinLock(Machine.Paging.LockOf(above.Index));
        Pte entry = await cpu.EntryRead(above, page, "pmdp_get");
        if (Kernel.HugeMemory.MapsFile(Mm, page) && entry is { Huge: true, Present: true, Write: true, Dirty: false } && write)
        {
            await Kernel.Filemap.FolioMarkDirty(cpu, entry.Frame);
        }

        await cpu.SpinUnlock(Machine.Paging.LockOf(above.Index));
        bool allowed = entry.Present && entry.Huge && (!write || entry.Write);
        return allowed ? Pte.Leaf(entry.Frame + (page % Machine.Paging.SpanOf(1)), entry.Write, entry.Dirty) : Pte.None;
    }
}
