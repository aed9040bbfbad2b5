using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Devices on a stage.</summary>
public static class DeviceStage
{
    /// <summary>The mechanisms of a kernel of 4.15 to 6.5 as far as notifiers are concerned.</summary>
    /// <param name="endImplies">True if the end of a range implies <c>invalidate_range</c>.</param>
    /// <param name="ksmUnderLock">True if KSM calls it from under the table's lock, as in 4.14.</param>
    public static KernelParts InvalidateRangeParts(bool endImplies = true, bool ksmUnderLock = false)
    {
        var parts = new KernelParts
        {
            MmuNotifier = kernel => new InvalidateRangeNotifier(kernel, endImplies),
            MmuGather = kernel => new InvalidateRangeGather(kernel),
        };
        return ksmUnderLock ? parts with { Ksm = kernel => new InvalidateRangeKsm(kernel) } : parts;
    }

    /// <summary>Binds the machine's first device to the stage's address space.</summary>
    /// <param name="stage">A stage whose machine has a device (<see cref="MachineOptions.Devices"/>).</param>
    /// <param name="ats">True if the device keeps translations of its own.</param>
    public static IommuSva BindDevice(this Stage stage, bool ats)
    {
        ArgumentNullException.ThrowIfNull(stage);
        return new IommuSva(stage.Kernel, stage.Mm, stage.Machine.Devices[0], ats);
    }

    /// <summary>A stage whose pages a fork left shared with a child: frame p is mapped read-only at page p in both.</summary>
    /// <param name="options">Sizes for one level of tables; there is one table more.</param>
    /// <param name="pages">Pages.</param>
    /// <param name="parts">Replaced mechanisms.</param>
    public static Stage WithSharedPages(MachineOptions options, int pages, KernelParts? parts = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var kernel = new KernelModel(new MachineModel(options with { Tables = 2 }), new KernelOptions { AnonFolios = true }, parts);
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        Mm child = kernel.NewMm("child", pages, mmapWriters: false);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: false));
            kernel.BuildMapping(child, page, Pte.Leaf(page, write: false));
        }

        return new Stage(kernel, mm);
    }

    /// <summary>A device that loads every page once; what it cannot reach it leaves.</summary>
    public static async Proc LoadPages(Device device, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await device.AccessTouch(page);
        }
    }

    /// <summary>A device that stores to every page once; what it cannot reach it leaves.</summary>
    public static async Proc StorePages(Device device, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await device.AccessStore(page, 2);
        }
    }
}
