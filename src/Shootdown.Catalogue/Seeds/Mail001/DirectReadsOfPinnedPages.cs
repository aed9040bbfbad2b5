using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-13: a disk that writes to a page while others take it away.</summary>
public sealed class DirectReadsOfPinnedPages : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S001-13";

    /// <inheritdoc/>
    public override string Lines => "83-89";

    /// <inheritdoc/>
    public override string Claim => "O_DIRECT is the user to protect: a device writes through a page that was looked up, without any entry";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A disk writes to the page that a thread has looked up, and the thread lets go behind that. Beside it the process forks and stores;
        kswapd reclaims; ksmd merges. The page is pinned (FOLL_PIN), or only referenced (FOLL_GET). Judged: that the process reads what the
        disk wrote, P-pin, P-life, and P-write (no write of the device is lost in a page that reclaim gives up).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("fork, pinned", "odirect-vs-fork", Variant.Fix),
        SeedRun.OfScenario("fork, referenced", "odirect-vs-fork", Variant.Bug),
        Run("reclaim, pinned", GupModels.DirectRead, new KernelParts(), [new PPin(), new PLife()]),
        Run("reclaim, referenced", GupFlags.Write | GupFlags.FastOnly, new KernelParts(), [new PLife()]),
        Run("reclaim that ignores references", GupModels.DirectRead, Careless, [new PWrite()]),
        SeedRun.OfScenario("ksm, pinned", "ksm-vs-gup-fast", Variant.Fix),
        Ksm("ksm, referenced", new KernelParts()),
        Ksm("ksm that ignores references", KsmStepList.NotCounted),
    ];

    private static KernelParts Careless => new()
    {
        Reclaim = kernel => new CarelessReclaim(kernel),
        AnonExclusive = kernel => new PinsIgnored(kernel),
    };

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string careless = results["reclaim that ignores references"].Property;
        var table = new SeedTable(
            "a disk writes to the page beside", ["run", "result"], [.. results.Runs.Select(run => new[] { run.Name, run.Cell })]);
        bool pinned = results.Passed("fork, pinned") && results.Passed("reclaim, pinned") && results.Passed("ksm, pinned");
        bool referenced = results.Passed("reclaim, referenced") && results.Passed("ksm, referenced");
        bool lost = results.Violated("fork, referenced");
        return new SeedAnswer(
            (pinned && referenced, lost) switch { (true, true) => SeedVerdict.Depends, (true, false) => SeedVerdict.Holds, _ => SeedVerdict.Refuted },
            $"a pinned page is {(pinned ? "safe" : "not safe")} beside fork, reclaim and KSM; with a plain reference "
                + $"{(lost ? "fork loses the disk's write" : "nothing is lost beside fork either")}, "
                + $"{(referenced ? "reclaim and KSM do not" : "and reclaim or KSM is not safe")}; "
                + $"without both checks reclaim {(careless.Length > 0 ? $"violates {careless}" : "is safe")}, "
                + $"and KSM that does not count references {(results.Violated("ksm that ignores references") ? "loses the write" : "is safe")}")
        {
            Tables = [table],
        };
    }

    private static SeedRun Run(string name, GupFlags flags, KernelParts parts, IReadOnlyList<Property> properties)
        => SeedRun.OfModel(name, $"disk beside {name}", () => Model(flags, parts, properties));

    private static SeedRun Ksm(string name, KernelParts parts)
        => SeedRun.OfModel(name, $"disk beside {name}", () => KsmStage.Make(GupModels.Setup(), parts, KsmPeer.Refers, 2, null));

    private static CheckModel Model(GupFlags flags, KernelParts parts, IReadOnlyList<Property> properties)
    {
        MachineOptions options = Stage.FlatOptions(GupModels.Setup(), 2, 1, 3);
        var build = new KernelOptions { AnonFolios = true, Pins = true };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, parts, build);
        var disk = new DmaEngine(stage.Machine);
        var call = new GupCall(stage.Cpu(1), stage.Mm, 0, flags);
        stage.AddKernelThread(0, "kswapd", () => Reclaim(stage.Kernel, stage.Cpu(0)));
        stage.AddThread(1, "O_DIRECT", () => ReadFromDisk(stage.Kernel, call, disk));
        return GupModels.Model(stage, properties);
    }

    private static async Proc Reclaim(KernelModel kernel, Cpu cpu) => await kernel.Reclaim.ShrinkFolioList(cpu, 1, false);

    private static async Proc ReadFromDisk(KernelModel kernel, GupCall call, DmaEngine disk)
    {
        int frame = await kernel.Gup.GupFastFallback(call);
        if (frame >= 0)
        {
            await disk.SubmitWrite(call.Cpu, frame, 7);
            await disk.AwaitCompletion(call.Cpu);
            await kernel.Gup.UnpinUserPage(call, frame);
        }
    }

    /// <summary>Gives the page up whoever refers to it.</summary>
    private sealed class CarelessReclaim(KernelModel kernel) : Reclaim(kernel)
    {
        protected override async Proc<bool> RemoveMapping(Cpu cpu, int frame, FolioMapping mapping) => true;
    }

    private sealed class PinsIgnored(KernelModel kernel) : AnonExclusive(kernel)
    {
        public override async Proc<bool> FolioMaybeDmaPinned(Cpu cpu, int frame) => false;
    }
}
