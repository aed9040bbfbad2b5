using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// <c>page_mkclean_one()</c> with the call to the device at any place. It was <c>invalidate_page</c> behind the unlock; came under the lock in
/// 4.11, when the walks of mm/rmap.c were converted (c7ab0d2fdc84 for try_to_unmap_one), where drivers that sleep in it broke; and is start and
/// end of a range since 4.14 (369ea8242c0f, merge ea25c4317946). <c>dax_mapping_entry_mkclean()</c> has the same steps (a4d1a8852513).
/// </summary>
/// <param name="kernel">A kernel with <see cref="InvalidateRangeNotifier"/> and one address space.</param>
/// <param name="place">Where the device is told; <see cref="SecondaryFlush.Both"/> is none of them here.</param>
public sealed class MkcleanPlacement(KernelModel kernel, SecondaryFlush place) : Writeback(kernel)
{
    private readonly SecondaryFlush _place = place;

    /// <inheritdoc/>
    public override bool NotifiesSecondaries => _place == SecondaryFlush.RangeEnd;

    /// <summary>One machine: writeback, a thread and a device that store to the page, and the place.</summary>
    /// <param name="place">Where the device is told.</param>
    /// <param name="sleeps">True if the device's driver sleeps when it is told.</param>
    public static CheckModel Build(SecondaryFlush place, bool sleeps)
    {
        var setup = new ScenarioSetup(Variant.Fix, MemoryModelKind.Sc, TlbKind.Lagging, new Dictionary<string, int>());
        MachineOptions options = Stage.FlatOptions(setup, 2, 1, 1) with { Devices = 1 };
        KernelParts parts = DeviceStage.InvalidateRangeParts() with { Writeback = kernel => new MkcleanPlacement(kernel, place) };
        Stage stage = Stage.WithMappedFile(options, 1, mmapWriters: false, FileAreaKind.Shared, parts);
        (KernelModel kernel, Mm mm) = stage;
        Device device = (sleeps ? new SleepingDriver(stage) : stage.BindDevice(false)).Device;
        stage.AddKernelThread(0, "writeback", () => kernel.Writeback.WriteCachePages(stage.Cpu(0), kernel.Files[0], 0, 1));
        stage.AddThread(1, "user", () => Stage.StorePages(kernel, stage.Cpu(1), mm, 1));
        device.AddProgram(() => DeviceStage.StorePages(device, 1));
        return stage.ToModel(new PWrite(kernel.PageCache), new PLife(), new PAtomic());
    }

    /// <inheritdoc/>
    public override async Proc<bool> FolioMkclean(Cpu cpu, int frame)
    {
        bool cleaned = await base.FolioMkclean(cpu, frame);
        if (cleaned && _place == SecondaryFlush.AfterLock)
        {
            await MmuNotifierInvalidatePage(cpu, Kernel.Mms[0], 0);
        }

        return cleaned;
    }

    /// <inheritdoc/>
    public override async Proc<bool> PageMkcleanOne(Cpu cpu, Mm mm, PageTable table, int page, Pte entry)
    {
        // What spin_lock() does too: a callback under the lock must not sleep.
        await cpu.PreemptDisable();
        if (_place == SecondaryFlush.BeforeClear)
        {
            await MmuNotifierInvalidatePage(cpu, mm, page);
        }

        bool cleaned = await base.PageMkcleanOne(cpu, mm, table, page, entry);
        if (_place == SecondaryFlush.UnderLock)
        {
            await MmuNotifierInvalidatePage(cpu, mm, page);
        }

        await cpu.PreemptEnable();
        return cleaned;
    }

    [KernelName("mmu_notifier_invalidate_page")]
    private async Proc MmuNotifierInvalidatePage(Cpu cpu, Mm mm, int page)
        => await InvalidateRangeNotifier.Of(Kernel).InvalidateRange(cpu, mm, PageRange.Of(page, 1));

    private sealed class SleepingDriver(Stage stage) : IommuSva(stage.Kernel, stage.Mm, stage.Machine.Devices[0], false)
    {
        /// <inheritdoc/>
        public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
        {
            await cpu.MightSleep("invalidate_page()");
            await base.ArchInvalidateSecondaryTlbs(cpu, range);
        }
    }
}
