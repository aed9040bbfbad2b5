using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>How a device with small entries hears that a huge page goes.</summary>
public enum HugeNotify
{
    /// <summary><c>invalidate_page</c> for the address of the huge page only.</summary>
    FirstPage,

    /// <summary><c>invalidate_page</c> for each of its small pages.</summary>
    EachPage,

    /// <summary><c>invalidate_range_start</c> and <c>_end</c> around it.</summary>
    StartEnd,

    /// <summary><c>invalidate_hugepage</c>, the method that the mail weighs.</summary>
    Hugepage,
}

/// <summary>
/// <c>try_to_unmap</c> of a huge page as of 2010: under the anon_vma lock and the table's lock the entry is cleared and flushed
/// (<c>pmdp_clear_flush_notify</c>), and the device hears of it in one of four ways. Behind the locks the page is freed.
/// </summary>
public static class HugeUnmapModel
{
    /// <summary>Builds it: CPU0 unmaps, CPU1 handles faults of the device, which has every small page mapped.</summary>
    /// <param name="notify">How the device hears of it.</param>
    /// <param name="spinningRmap">True if the anon_vma lock is a spinlock, as in 2010; false for a sleeping lock.</param>
    /// <param name="sleepingDriver">True if the driver's callbacks take a sleeping lock.</param>
    /// <param name="pages">Small pages of the huge page.</param>
    /// <param name="model">Memory model.</param>
    /// <param name="tlb">Representation of TLBs.</param>
    public static CheckModel Build(
        HugeNotify notify,
        bool spinningRmap,
        bool sleepingDriver,
        int pages = 2,
        MemoryModelKind model = MemoryModelKind.Sc,
        TlbKind tlb = TlbKind.Lagging)
    {
        var options = new MachineOptions
        {
            Cpus = 2,
            EntriesPerTable = pages,
            Frames = 2 * pages,
            FrameColours = pages,
            Model = model,
            Tlb = tlb,
        };
        Stage stage = Stage.WithHugePage(options, pages, Pte.Leaf(0, write: true, dirty: true));
        var gru = new Gru(stage.Kernel, stage.Mm, sleepingDriver);
        for (int page = 0; page < pages; page++)
        {
            gru.Mmu.BuildSpte(page, page, write: false);
        }

        Spinlock? anonVma = spinningRmap ? stage.Machine.NewSpinLock("anon_vma.lock") : null;
        stage.AddThread(0, "rmap", () => TryToUnmap(stage.Kernel, stage.Cpu(0), stage.Mm, gru, notify, anonVma));
        stage.AddThread(1, "gru", () => LoadByDevice(gru, stage.Cpu(1), pages));
        return stage.ToModel(new PLife());
    }

    /// <summary>The device's callbacks, as reports call them.</summary>
    public static IReadOnlyList<string> Callbacks { get; } =
        ["gru_invalidate_page", "gru_invalidate_hugepage", "gru_invalidate_range_start", "gru_invalidate_range_end"];

    [KernelName("try_to_unmap")]
    private static async Proc TryToUnmap(KernelModel kernel, Cpu cpu, Mm mm, Gru gru, HugeNotify notify, Spinlock? anonVma)
    {
        int span = kernel.Machine.Paging.SpanOf(1);
        if (anonVma is not null)
        {
            await cpu.SpinLock(anonVma);
        }
        else
        {
            await mm.AnonVma.LockRead(cpu);
        }

        if (notify == HugeNotify.StartEnd)
        {
            await kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, 0, span);
        }

        await PmdpClearFlushNotify(kernel, cpu, mm, gru, notify);
        if (notify == HugeNotify.StartEnd)
        {
            await kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, 0, span);
        }

        if (anonVma is not null)
        {
            await cpu.SpinUnlock(anonVma);
        }
        else
        {
            await mm.AnonVma.UnlockRead(cpu);
        }

        await cpu.PutFrames((1UL << span) - 1, "put_page");
    }

    [KernelName("pmdp_clear_flush_notify")]
    private static async Proc PmdpClearFlushNotify(KernelModel kernel, Cpu cpu, Mm mm, Gru gru, HugeNotify notify)
    {
        int span = kernel.Machine.Paging.SpanOf(1);
        PageTable pmd = await kernel.PageWalk.TableAt(cpu, mm, 0, 1);
        await cpu.SpinLock(kernel.Machine.Paging.LockOf(pmd.Index));
        await cpu.EntryExchange(pmd, 0, Pte.None, "pmdp_get_and_clear");
        await kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(0, span));
        if (notify == HugeNotify.Hugepage)
        {
            await gru.InvalidateHugepage(cpu, 0);
        }

        for (int page = 0; page < (notify == HugeNotify.EachPage ? span : notify == HugeNotify.FirstPage ? 1 : 0); page++)
        {
            await gru.InvalidatePage(cpu, page);
        }

        await cpu.SpinUnlock(kernel.Machine.Paging.LockOf(pmd.Index));
    }

    private static async Proc LoadByDevice(Gru gru, Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await gru.DeviceLoad(cpu, page);
        }
    }
}
