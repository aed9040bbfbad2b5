using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Seed 001: the disk writes to a page that the process shares with its child, and then leaves.</summary>
public sealed class OdirectVsFork : Scenario
{
    private const int Data = 7;

    /// <inheritdoc/>
    public override string Id => "odirect-vs-fork";

    /// <inheritdoc/>
    public override string Title => "a read with O_DIRECT is lost because the process forks meanwhile";

    /// <inheritdoc/>
    public override int Year => 2020;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["70e806e4e645"];

    /// <inheritdoc/>
    public override string Seed => "001";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gup", "pin", "fork", "dma", "copy-on-write"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 reads from the disk, CPU1 forks, the third loads"),
        new("pages", 1, 1, 2, "pages of the process; the disk writes to page 0"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A read with O_DIRECT lets the disk write to the page of the process. With a plain reference (FOLL_GET) nobody
        knows that a device writes. If the process forks meanwhile, the page is shared, and the next store of
        the process, even to another part of the page, moves it to a copy. What the disk writes after that is
        lost: the man page of open(2) has warned of fork beside O_DIRECT for years.

        A pin (FOLL_PIN) says so. fork then gives the child a copy at once (70e806e4e645) and leaves the page with the process.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: O_DIRECT: takes a reference of F and tells the disk to write to it.",
        "CPU1: fork: F is shared, read-only.",
        "CPU1: stores to the page: the process gets a copy G.",
        "The disk writes to F; the process reads G.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources => ["seed 001: O_DIRECT as the one who raises references", "open(2), NOTES on O_DIRECT and fork"];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 3) with { Tables = 2 };
        var build = new KernelOptions { AnonFolios = true, Pins = true, WriteProtectSeq = true };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, build: build);
        (KernelModel kernel, Mm mm) = stage;
        Mm child = kernel.NewMm("child", pages);
        var disk = new DmaEngine(kernel.Machine);
        Promise promise = stage.Promise(1, pages, PromiseKind.WriteProtected, "fork()");
        var call = new GupCall(stage.Cpu(0), mm, 0, GupFlags.Write | GupFlags.FastOnly | (setup.IsBug ? GupFlags.Get : GupFlags.Pin));
        stage.AddThread(0, "O_DIRECT", () => ReadFromDisk(kernel, call, disk));
        stage.AddThread(1, "fork", () => ForkAndStore(kernel, stage.Cpu(1), mm, child, promise));
        for (int index = 2; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, mm, 1));
        }

        return stage.ToAssertedModel(setup, new PPin(), new PLife());
    }

    private static async Proc ReadFromDisk(KernelModel kernel, GupCall call, DmaEngine disk)
    {
        int frame = await kernel.Gup.GupFastFallback(call);
        if (frame < 0)
        {
            return;
        }

        await disk.SubmitWrite(call.Cpu, frame, Data);
        await disk.AwaitCompletion(call.Cpu);
        int value = await kernel.UserAccess.UserLoadValue(call.Cpu, call.Mm, call.Page);
        await call.Cpu.Assert(value == Data, "the process reads what the disk wrote");
        await kernel.Gup.UnpinUserPage(call, frame);
    }

    private static async Proc ForkAndStore(KernelModel kernel, Cpu cpu, Mm mm, Mm child, Promise promise)
    {
        await kernel.Fork.DupMmap(cpu, mm, child, promise);

        // The store itself goes to another word of the page: a frame's data is one word here.
        await kernel.PageFault.HandleMmFault(cpu, mm, 0, write: true);
    }
}
