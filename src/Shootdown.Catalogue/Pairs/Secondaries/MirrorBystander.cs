using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A device with a page table that mirrors the process's, kept by an interval notifier (HMM). Either it has mapped the pages as the process has, or
/// its driver begins and ends beside the operation; on two pages there is another interval then, which covers the second, so that the tree may
/// be in use. Where the operation ends the process, faults of the device fail (<c>mmget_not_zero</c>), but its driver may be closed.
/// </summary>
internal sealed class MirrorBystander : SecondaryBystander
{
    private readonly SecondaryDriver _driver;

    /// <summary>Makes it.</summary>
    public MirrorBystander(Stage stage, PairCell cell, KernelParts parts)
    {
        NotifierRegistration registration = RegistrationOf(cell);
        _driver = parts.MirrorDriver(stage.Kernel, stage.Mm, registration);
        for (int page = 0; registration != NotifierRegistration.Unregistered && page < cell.Pages; page++)
        {
            _driver.Mmu.BuildSpte(page, page, cell.Kind != PageKind.CopyOnWrite);
        }

        if (cell.Bystander == Bystander.NewMirror && cell.Relation != RangeRelation.Same)
        {
            _ = new OtherInterval(stage.Kernel, stage.Mm, PageRange.Of(cell.Pages - 1, 1));
        }
    }

    /// <inheritdoc/>
    public override void AddPrograms(Stage stage, PairCell cell, Cpu cpu)
    {
        SecondaryDriver driver = _driver;
        int pages = cell.Pages;
        if (cell.Bystander == Bystander.Mirror && !cell.EndsProcess)
        {
            bool loads = cell.Kind == PageKind.CopyOnWrite;
            AddThread(stage, cell, cpu, driver.Name, () => Use(driver, cpu, pages, loads));
        }
        else if (cell.Bystander == Bystander.NewMirror)
        {
            bool exits = cell.EndsProcess;
            AddThread(stage, cell, cpu, driver.Name, () => exits ? Close(driver, cpu) : OpenAndClose(driver, cpu, pages));
        }
    }

    /// <summary>As <see cref="GuestBystander"/>: the device stores, or leaves the memory alone, or loads where that is something else.</summary>
    private static async Proc Use(SecondaryDriver driver, Cpu cpu, int pages, bool loads)
    {
        int use = await cpu.Choose(loads ? 3 : 2, loads ? "whether the device stores or loads" : "whether the device stores");
        for (int page = 0; use == 2 && page < pages; page++)
        {
            await driver.DeviceLoad(cpu, page);
        }

        if (use != 1)
        {
            return;
        }

        for (int page = 0; page < pages; page++)
        {
            await driver.DeviceStore(cpu, page, 1);
        }
    }

    private static async Proc OpenAndClose(SecondaryDriver driver, Cpu cpu, int pages)
    {
        await driver.Open(cpu);
        for (int page = 0; page < pages; page++)
        {
            await driver.DeviceStore(cpu, page, 1);
        }

        await driver.Close(cpu);
    }

    private static async Proc Close(SecondaryDriver driver, Cpu cpu) => await driver.Close(cpu);

    /// <summary>An interval whose device has nothing mapped.</summary>
    private sealed class OtherInterval(KernelModel kernel, Mm mm, PageRange pages) : MmuIntervalNotifier(kernel, mm, pages, "other")
    {
        public override async Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
        {
            await Kernel.MmuInterval.MmuIntervalSetSeq(cpu, this, seq);
            return true;
        }
    }
}
