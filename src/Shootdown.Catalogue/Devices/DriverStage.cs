using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>The machine of scenarios about drivers: CPU0 discards the pages that CPU1 handles for a device.</summary>
internal static class DriverStage
{
    /// <summary>
    /// <c>madvise(MADV_DONTNEED)</c> of all pages on CPU0, the driver on CPU1, and user threads on the others; judged by P-life, the fix by P-ret
    /// too.
    /// </summary>
    /// <param name="setup">What is asked for: the parameters <c>cpus</c> and <c>pages</c>.</param>
    /// <param name="role">What the driver's column is called.</param>
    /// <param name="driver">Makes the driver and returns its program for a CPU.</param>
    /// <param name="parts">Replaced mechanisms.</param>
    public static CheckModel MadviseBeside(ScenarioSetup setup, string role, Func<Stage, Cpu, Func<Proc>> driver, KernelParts? parts = null)
    {
        int pages = setup["pages"];
        Stage stage = WithPages(setup, framesPerPage: 2, mmapWriters: false, parts);
        Func<Proc> program = driver(stage, stage.Cpu(1));
        AddMadvise(stage, 0, pages);
        stage.AddThread(1, role, program);
        AddUsers(stage, setup);
        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <summary>Dirty pages on as many CPUs as the setup says.</summary>
    public static Stage WithPages(ScenarioSetup setup, int framesPerPage, bool mmapWriters, KernelParts? parts = null)
    {
        int pages = setup["pages"];
        return Stage.WithMappedPages(Stage.FlatOptions(setup, setup["cpus"], pages, framesPerPage), pages, mmapWriters, dirty: true, parts);
    }

    /// <summary>Starts <c>madvise(MADV_DONTNEED)</c> of the first pages on a CPU.</summary>
    public static void AddMadvise(Stage stage, int cpu, int pages)
    {
        Promise promise = stage.Promise(cpu, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(cpu, "madvise", () => Discard(stage, cpu, promise));
    }

    /// <summary>CPUs from the third on run threads that load every page.</summary>
    public static void AddUsers(Stage stage, ScenarioSetup setup)
    {
        int pages = setup["pages"];
        for (int index = 2; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(stage.Kernel, cpu, stage.Mm, pages));
        }
    }

    /// <summary>The device loads every page once; its faults are handled on the CPU.</summary>
    public static async Proc LoadByDevice(SecondaryDriver driver, Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await driver.DeviceLoad(cpu, page);
        }
    }

    /// <summary><c>madvise(MADV_DONTNEED)</c> of what is promised.</summary>
    [KernelName]
    public static async Proc Discard(Stage stage, int cpu, Promise promise)
        => await stage.Kernel.Madvise.MadviseDontneed(stage.Cpu(cpu), stage.Mm, promise);
}
