using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <content>What happens to the pages.</content>
internal abstract partial class DriverMachine
{
    private sealed class Discard() : DriverMachine("madvise")
    {
        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
            Add(stage, driver, pages, () => DriverStage.Discard(stage, 0, promise));
        }
    }

    private sealed class Unmap() : DriverMachine("munmap")
    {
        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
            Add(stage, driver, pages, () => stage.Kernel.Munmap.DoMunmap(stage.Cpu(0), stage.Mm, promise));
        }
    }

    private sealed class Downgrade() : DriverMachine("mprotect")
    {
        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, pages, PromiseKind.WriteProtected, "mprotect()");
            Add(stage, driver, pages, () => stage.Kernel.Mprotect.MprotectReadOnly(stage.Cpu(0), stage.Mm, promise));
        }
    }

    private sealed class Reclaimed() : DriverMachine("reclaim")
    {
        protected override bool IsThread => false;

        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
            => Add(stage, driver, pages, () => stage.Kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), Stage.MappedFrames(pages), false));
    }

    private sealed class OomReaped() : DriverMachine("oom reaper")
    {
        protected override bool IsThread => false;

        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
            => Add(stage, driver, pages, () => Reap(stage, pages));

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

        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
        {
            Mm child = stage.Kernel.NewMm("child", pages);
            Promise promise = stage.Promise(0, pages, PromiseKind.WriteProtected, "fork()");
            Add(stage, driver, pages, () => Run(stage, child, promise));
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

        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
            => Add(stage, driver, pages, () => stage.Kernel.Migrate.CompactZone(stage.Cpu(0), 0, pages, false));

        protected override IEnumerable<Property> Properties(SecondaryDriver driver) => [.. base.Properties(driver), new PCopy()];
    }

    /// <summary>Two invalidations at once: of all pages, and of the last one. The device uses the first.</summary>
    private sealed class TwoAtOnce() : DriverMachine("madvise beside reclaim of the last page")
    {
        protected override int CpusBeside => 2;

        protected override KernelOptions Options => new();

        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
            AddOperation(stage, () => DriverStage.Discard(stage, 0, promise));
            stage.AddKernelThread(2, "kswapd", () => stage.Kernel.Reclaim.ShrinkFolioList(stage.Cpu(2), FrameSet.Of(pages - 1), false));
            stage.AddThread(1, driver.Name, () => DriverStage.LoadByDevice(driver, stage.Cpu(1), 1));
        }
    }

    /// <summary>One huge page, of which a small page is discarded: the entry is split, and notifiers hear of all of it.</summary>
    private sealed class HugeSplit() : DriverMachine("madvise of a part of a huge page")
    {
        protected override Stage MakeStage(ScenarioSetup setup, int pages)
            => Stage.WithHugePage(Stage.FlatOptions(setup, 2, 2, framesPerPage: 3), 2, Pte.Leaf(0, write: true, dirty: true));

        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
        {
            Promise promise = stage.Promise(0, 1, PromiseKind.Removed, "madvise()");
            Add(stage, driver, pages, () => DriverStage.Discard(stage, 0, promise));
        }
    }

    /// <summary>The last thread leaves while the device is at work; nobody handles its faults any more.</summary>
    private sealed class Exited() : DriverMachine("exit")
    {
        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
        {
            stage.Kernel.BuildNotifiersUntilExit(stage.Mm);
            Word left = stage.Machine.NewWord("mm.threads_left");
            AddOperation(stage, () => Exit(stage, left));
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

    /// <summary>
    /// A shared mapping of a file, or of shmem whose pages loads have mapped writable and clean. Pages are cleaned or reclaimed; at last, when
    /// the device is done, the mapping is discarded: whatever the device stored must be known to be dirty then, however the driver tells.
    /// </summary>
    private sealed class FileCleaned(string name, bool dirty) : DriverMachine(name)
    {
        private readonly bool _dirty = dirty;

        protected override Stage MakeStage(ScenarioSetup setup, int pages) => Stage.WithMappedFile(
            Stage.FlatOptions(setup, 2, pages, framesPerPage: 2), pages, mmapWriters: false, FileAreaKind.Shared, build: Options, dirty: _dirty);

        protected override void AddPrograms(Stage stage, SecondaryDriver driver, int pages)
        {
            Word done = stage.Machine.NewWord("device.done");
            Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
            bool writes = _dirty;
            AddOperation(stage, () => Run(stage, pages, writes, done, promise));
            stage.AddThread(1, driver.Name, () => LoadAndStore(driver, stage.Cpu(1), pages, done));
        }

        protected override IEnumerable<Property> Properties(SecondaryDriver driver)
            => [new PLife(), new PSecondary(), new PWrite(driver.Kernel.PageCache), new PProgress()];

        /// <summary>A page that was mapped for a load may be writable: a store makes no fault then.</summary>
        [KernelName]
        private static async Proc LoadAndStore(SecondaryDriver driver, Cpu cpu, int pages, Word done)
        {
            for (int page = 0; page < pages; page++)
            {
                await driver.DeviceLoad(cpu, page);
                await driver.DeviceStore(cpu, page, 1);
            }

            await cpu.Store(done, 1);
        }

        [KernelName]
        private static async Proc Run(Stage stage, int pages, bool writes, Word done, Promise promise)
        {
            Cpu cpu = stage.Cpu(0);
            if (writes)
            {
                await stage.Kernel.Writeback.WriteCachePages(cpu, stage.Kernel.Files[0], 0, pages);
            }
            else
            {
                await stage.Kernel.Reclaim.ShrinkFolioList(cpu, Stage.MappedFrames(pages), false);
            }

            await cpu.WaitEvent(done, Condition.Equal, 1);
            await DriverStage.Discard(stage, 0, promise);
        }
    }
}
