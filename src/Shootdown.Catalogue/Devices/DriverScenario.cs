using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// What a driver of a secondary MMU must stand: while its device loads and stores, CPU0 does one of five things to the pages. A subclass
/// gives the driver; see docs/drivers.md.
/// </summary>
/// <remarks>
/// Checked are: the device reaches no freed page (P-life) and none that was removed or write-protected for good (P-ret); at the end it maps
/// only what the process maps
/// (P-sec); nothing sleeps where it must not; nothing waits for ever.
/// </remarks>
public abstract class DriverScenario : Scenario
{
    private const int Operations = 5;

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "device"];

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("pages", 2, 1, 3, "pages that the device uses"),
        new("operation", Operations, 0, Operations, "madvise, munmap, mprotect, reclaim, oom reaper by number; 5 for any of them"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        "A device with a page table of its own loads and stores, while the process's pages are removed or write-protected.";

    /// <summary>Makes the driver, with its notifier.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The process.</param>
    /// <param name="pages">Pages that the device uses, from the first on.</param>
    /// <param name="isBug">True for the version that is wrong.</param>
    public abstract SecondaryDriver NewDriver(KernelModel kernel, Mm mm, int pages, bool isBug);

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        int operation = setup["operation"];
        MachineOptions options = Stage.FlatOptions(setup, 2, pages, framesPerPage: 3);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true);
        (KernelModel kernel, Mm mm) = stage;
        SecondaryDriver driver = NewDriver(kernel, mm, pages, setup.IsBug);
        Promise madvise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
        Promise munmap = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        Promise mprotect = stage.Promise(0, pages, PromiseKind.WriteProtected, "mprotect()");
        stage.AddThread(0, "mm", () => Change(kernel, stage.Cpu(0), mm, operation, madvise, munmap, mprotect));
        stage.AddThread(1, driver.Name, () => Use(driver, stage.Cpu(1), pages));
        driver.Mmu.AddBusyUsers($"{driver.Name} at work");
        return new CheckModel(
            stage.Machine, [new PLife(), new PRet(), new PSecondary(), new Assertions()], ["P-life", "P-sec"]);
    }

    [KernelName]
    private static async Proc Change(KernelModel kernel, Cpu cpu, Mm mm, int operation, Promise madvise, Promise munmap, Promise mprotect)
    {
        switch (operation < Operations ? operation : await cpu.Choose(Operations, "what happens to the pages"))
        {
            case 0:
                await kernel.Madvise.MadviseDontneed(cpu, mm, madvise);
                break;
            case 1:
                await kernel.Munmap.DoMunmap(cpu, mm, munmap);
                break;
            case 2:
                await kernel.Mprotect.MprotectReadOnly(cpu, mm, mprotect);
                break;
            case 3:
                await kernel.Reclaim.ShrinkFolioList(cpu, Stage.MappedFrames(madvise.PageCount), false);
                break;
            default:
                await kernel.OomKill.OomReapTaskMm(cpu, mm, 0, madvise.PageCount);
                break;
        }
    }

    [KernelName]
    private static async Proc Use(SecondaryDriver driver, Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            if (await cpu.Choose(2, "whether the device stores") == 0)
            {
                await driver.DeviceLoad(cpu, page);
            }
            else
            {
                await driver.DeviceStore(cpu, page, 1);
            }
        }
    }
}
