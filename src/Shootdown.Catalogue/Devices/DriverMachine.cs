using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// One machine of <see cref="DriverScenario"/>: what happens to the pages of a device while it uses them. CPU0 does it, CPU1 handles the
/// device's faults.
/// </summary>
/// <param name="name">What <c>--bound operation=N</c> calls it.</param>
internal abstract partial class DriverMachine(string name)
{
    /// <summary>All, by number.</summary>
    internal static IReadOnlyList<DriverMachine> All { get; } =
    [
        new Discard(),
        new Unmap(),
        new Downgrade(),
        new Reclaimed(),
        new OomReaped(),
        new Forked(),
        new Migrated(),
        new TwoAtOnce(),
        new HugeSplit(),
        new Exited(),
        new FileCleaned("writeback of a shared file", dirty: true),
        new FileCleaned("reclaim of shared memory that was only read", dirty: false),
    ];

    /// <summary>What <c>--bound operation=N</c> calls it.</summary>
    internal string Name => name;

    /// <summary>CPUs beside the one that handles faults.</summary>
    protected virtual int CpusBeside => 1;

    /// <summary>Choices of the kernel's build: with a gather that is full at once, pages are freed before the end of the invalidation.</summary>
    protected virtual KernelOptions Options => new() { GatherFrames = 1 };

    /// <summary>True if CPU0 is a thread of the process.</summary>
    protected virtual bool IsThread => true;

    /// <summary>Builds the machine.</summary>
    /// <param name="setup">With <c>pages</c>.</param>
    /// <param name="newDriver">Makes the driver.</param>
    internal CheckModel Build(ScenarioSetup setup, Func<KernelModel, Mm, int, SecondaryDriver> newDriver)
    {
        int pages = setup["pages"];
        Stage stage = MakeStage(setup, pages);
        SecondaryDriver driver = newDriver(stage.Kernel, stage.Mm, pages);
        AddPrograms(stage, driver, pages);
        driver.Mmu.AddBusyUsers($"{driver.Name} at work");
        return new CheckModel(stage.Machine, [.. Properties(driver), new Assertions()], ["P-life"]);
    }

    /// <summary>The machine before there is a driver.</summary>
    protected virtual Stage MakeStage(ScenarioSetup setup, int pages)
        => Stage.WithMappedPages(Stage.FlatOptions(setup, 1 + CpusBeside, pages, framesPerPage: 3), pages, mmapWriters: true, dirty: true, build: Options);

    /// <summary>Adds the programs of all CPUs. Machines are built at the same time: what programs share is no part of this.</summary>
    protected abstract void AddPrograms(Stage stage, SecondaryDriver driver, int pages);

    /// <summary>What is judged. Livelocks where one CPU invalidates: they are looked for among all interleavings.</summary>
    protected virtual IEnumerable<Property> Properties(SecondaryDriver driver)
    {
        yield return new PLife();
        yield return new PRet();
        yield return new PSecondary { MarksDirtyAtUnmap = driver.MarksDirtyAtUnmap };
        if (CpusBeside == 1)
        {
            yield return new PProgress();
        }
    }

    /// <summary>Starts CPU0, and CPU1 on which the device's faults are handled.</summary>
    protected void Add(Stage stage, SecondaryDriver driver, int pages, Func<Proc> program)
    {
        AddOperation(stage, program);
        stage.AddThread(1, driver.Name, () => Use(driver, stage.Cpu(1), pages));
    }

    /// <summary>Starts CPU0.</summary>
    protected void AddOperation(Stage stage, Func<Proc> program)
    {
        if (IsThread)
        {
            stage.AddThread(0, "mm", program);
        }
        else
        {
            stage.AddKernelThread(0, "mm", program);
        }
    }

    /// <summary>The device loads or stores, page by page.</summary>
    [KernelName]
    protected static async Proc Use(SecondaryDriver driver, Cpu cpu, int pages)
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
