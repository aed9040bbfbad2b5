#:project ../src/Shootdown.Cli/Shootdown.Cli.csproj
#:property PublishAot=false
#:property Optimize=true

using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Cli;
using Shootdown.Kernel;
using Shootdown.Machine;

return ShootdownApp.Check(new CpumaskTooEarly(), args);

/// <summary>A driver saves an IPI: it looks which CPUs run the process, but looks too early.</summary>
sealed class CpumaskTooEarly : Scenario
{
    public override string Id => "cpumask-too-early";

    public override string Title => "a driver looks whom to interrupt before it clears the entry";

    public override string Property => "P-life";

    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 runs the driver, the others switch to the process and load"),
        new("pages", 1, 1, 3, "pages that the driver takes back, one after the other"),
    ];

    public override string Story =>
        """
        A driver takes pages back from a process. Most processes run on one CPU at a time, so it looks at mm_cpumask
        first: if only its own bit is set, it flushes locally and sends no IPI.

        Between that look and the clearing of the entry another CPU can switch to the process and load the entry into
        its TLB. Nobody flushes it there, and the page is freed under it. The fix asks after clearing, as
        flush_tlb_page() does.
        """;

    public override CheckModel Build(ScenarioSetup setup)
    {
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, framesPerPage: 2);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: false);
        (KernelModel kernel, Mm mm) = stage;
        bool looksEarly = setup.IsBug;
        stage.AddThread(0, "driver", () => TakeBackPages(kernel, stage.Cpu(0), mm, pages, looksEarly));
        for (int index = 1; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddKernelThread(index, "user", () => SwitchAndLoad(kernel, cpu, mm, pages));
        }

        return stage.ToModel(new PLife());
    }

    static async Proc TakeBackPages(KernelModel kernel, Cpu cpu, Mm mm, int pages, bool looksEarly)
    {
        for (int page = 0; page < pages; page++)
        {
            await TakeBackPage(kernel, cpu, mm, page, looksEarly);
        }
    }

    static async Proc TakeBackPage(KernelModel kernel, Cpu cpu, Mm mm, int page, bool looksEarly)
    {
        bool isAlone = looksEarly && await cpu.Load(mm.CpuMask, weight: StepWeight.Key) == cpu.Bit;
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        Pte old = await kernel.PteOps.PtepGetAndClear(cpu, table, page);
        if (isAlone)
        {
            await cpu.Invlpg(page);
        }
        else
        {
            await kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
        }

        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        if (old.Present)
        {
            await cpu.FreeFrame(old.Frame);
        }
    }

    static async Proc SwitchAndLoad(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await Stage.LoadPages(kernel, cpu, mm, pages);
    }
}
