using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// One machine of <see cref="DriverScenario"/>: what happens to the pages of a device while it uses them. CPU0 does it, CPU1 handles the
/// device's faults.
/// </summary>
/// <param name="name">What <c>--bound operation=N</c> calls it.</param>
internal abstract class DriverMachine(string name)
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
        AddOperation(stage, driver, pages);
        AddUser(stage, driver, pages);
        driver.Mmu.AddBusyUsers($"{driver.Name} at work");
        return new CheckModel(stage.Machine, [.. Properties(driver), new Assertions()], ["P-life"]);
    }

    /// <summary>The machine before there is a driver.</summary>
    protected virtual Stage MakeStage(ScenarioSetup setup, int pages)
        => Stage.WithMappedPages(Stage.FlatOptions(setup, 1 + CpusBeside, pages, framesPerPage: 3), pages, mmapWriters: true, dirty: true, build: Options);

    /// <summary>Adds the program of CPU0, and of others beside CPU1.</summary>
    protected abstract void AddOperation(Stage stage, SecondaryDriver driver, int pages);

    /// <summary>Adds the program of CPU1, in which the device loads and stores.</summary>
    protected virtual void AddUser(Stage stage, SecondaryDriver driver, int pages)
        => stage.AddThread(1, driver.Name, () => Use(driver, stage.Cpu(1), pages));

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

    /// <summary>Starts CPU0.</summary>
    protected void Add(Stage stage, Func<Proc> program)
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

    /// <summary>CPU0 discards what was promised.</summary>
    [KernelName]
    protected static async Proc Madvise(Stage stage, Cpu cpu, Promise promise) => await stage.Kernel.Madvise.MadviseDontneed(cpu, stage.Mm, promise);

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

    private sealed class Discard() : DriverMachine("madvise")
    {
        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
            Add(stage, () => Madvise(stage, stage.Cpu(0), promise));
        }
    }

    private sealed class Unmap() : DriverMachine("munmap")
    {
        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
            Add(stage, () => stage.Kernel.Munmap.DoMunmap(stage.Cpu(0), stage.Mm, promise));
        }
    }

    private sealed class Downgrade() : DriverMachine("mprotect")
    {
        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, pages, PromiseKind.WriteProtected, "mprotect()");
            Add(stage, () => stage.Kernel.Mprotect.MprotectReadOnly(stage.Cpu(0), stage.Mm, promise));
        }
    }

    private sealed class Reclaimed() : DriverMachine("reclaim")
    {
        protected override bool IsThread => false;

        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
            => Add(stage, () => stage.Kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), Stage.MappedFrames(pages), false));
    }

    private sealed class OomReaped() : DriverMachine("oom reaper")
    {
        protected override bool IsThread => false;

        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
            => Add(stage, () => Reap(stage, pages));

        [KernelName]
        private static async Proc Reap(Stage stage, int pages) => await stage.Kernel.OomKill.OomReapTaskMm(stage.Cpu(0), stage.Mm, 0, pages);
    }

    /// <summary>The process forks, and stores to its pages: they are copied.</summary>
    private sealed class Forked() : DriverMachine("fork and a store")
    {
        protected override KernelOptions Options => base.Options with { AnonFolios = true };

        protected override Stage MakeStage(ScenarioSetup setup, int pages)
        {
            MachineOptions options = Stage.FlatOptions(setup, 2, pages, framesPerPage: 3) with { Tables = 2 };
            return Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, build: Options);
        }

        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
        {
            Mm child = stage.Kernel.NewMm("child", pages);
            Promise promise = stage.Promise(0, pages, PromiseKind.WriteProtected, "fork()");
            Add(stage, () => Run(stage, child, promise));
        }

        protected override IEnumerable<Property> Properties(SecondaryDriver driver) => [.. base.Properties(driver), new PCopy(), new PCow()];

        [KernelName]
        private static async Proc Run(Stage stage, Mm child, Promise promise)
        {
            await stage.Kernel.Fork.DupMmap(stage.Cpu(0), stage.Mm, child, promise);
            await stage.Kernel.UserAccess.UserStore(stage.Cpu(0), stage.Mm, 0, 1);
        }
    }

    private sealed class Migrated() : DriverMachine("migration")
    {
        protected override KernelOptions Options => base.Options with { AnonFolios = true };

        protected override bool IsThread => false;

        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
            => Add(stage, () => stage.Kernel.Migrate.CompactZone(stage.Cpu(0), 0, pages, false));

        protected override IEnumerable<Property> Properties(SecondaryDriver driver) => [.. base.Properties(driver), new PCopy()];
    }

    /// <summary>Two invalidations at once: of all pages, and of the last one. The device uses the first.</summary>
    private sealed class TwoAtOnce() : DriverMachine("madvise beside reclaim of the last page")
    {
        protected override int CpusBeside => 2;

        protected override KernelOptions Options => new();

        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
            Add(stage, () => Madvise(stage, stage.Cpu(0), promise));
            stage.AddKernelThread(2, "kswapd", () => stage.Kernel.Reclaim.ShrinkFolioList(stage.Cpu(2), FrameSet.Of(pages - 1), false));
        }

        protected override void AddUser(Stage stage, SecondaryDriver driver, int pages)
            => stage.AddThread(1, driver.Name, () => Load(driver, stage.Cpu(1)));

        [KernelName]
        private static async Proc Load(SecondaryDriver driver, Cpu cpu) => await driver.DeviceLoad(cpu, 0);
    }

    /// <summary>One huge page, of which a small page is discarded: the entry is split, and notifiers hear of all of it.</summary>
    private sealed class HugeSplit() : DriverMachine("madvise of a part of a huge page")
    {
        protected override Stage MakeStage(ScenarioSetup setup, int pages)
            => Stage.WithHugePage(Stage.FlatOptions(setup, 2, 2, framesPerPage: 3), 2, Pte.Leaf(0, write: true, dirty: true));

        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, 1, PromiseKind.Removed, "madvise()");
            Add(stage, () => Madvise(stage, stage.Cpu(0), promise));
        }
    }

    /// <summary>The last thread leaves while the device is at work; nobody handles its faults any more.</summary>
    private sealed class Exited() : DriverMachine("exit")
    {
        private Word _left = null!;

        protected override void AddOperation(Stage stage, SecondaryDriver driver, int pages)
        {
            stage.Kernel.BuildNotifiersUntilExit(stage.Mm);
            _left = stage.Machine.NewWord("mm.threads_left");
            Word left = _left;
            Add(stage, () => Exit(stage, left));
        }

        protected override void AddUser(Stage stage, SecondaryDriver driver, int pages)
        {
            Word left = _left;
            stage.AddThread(1, driver.Name, () => UseAndLeave(stage, driver, pages, left));
        }

        [KernelName]
        private static async Proc UseAndLeave(Stage stage, SecondaryDriver driver, int pages, Word left)
        {
            await Use(driver, stage.Cpu(1), pages);
            await stage.Kernel.LazyTlb.EnterLazyTlb(stage.Cpu(1));
            await stage.Cpu(1).Store(left, 1);
        }

        [KernelName]
        private static async Proc Exit(Stage stage, Word left)
        {
            await stage.Cpu(0).WaitEvent(left, Condition.Equal, 1);
            await stage.Kernel.ExitMmap.ExitMm(stage.Cpu(0), stage.Mm);
        }
    }
}
