using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S000-03: who needs the early call.</summary>
public sealed class TwoKindsOfSecondaries : UnmapItem
{
    private static readonly UnmapModel Early = new(PrimaryFlush.UnderLock, SecondaryFlush.UnderLock, ReferenceHeld.No, UnmapPeer.None);
    private static readonly UnmapModel Late = new(PrimaryFlush.UnderLock, SecondaryFlush.RangeEnd, ReferenceHeld.No, UnmapPeer.None);

    /// <inheritdoc/>
    public override string Id => "S000-03";

    /// <inheritdoc/>
    public override string Lines => "18-21";

    /// <inheritdoc/>
    public override string Claim => "invalidate_range under the lock is for secondaries that share the primary page tables";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Reclaim unmaps a page of which nobody else holds a reference. Kind 1: an IOMMU that walks the CPUs' tables, told under
        the lock, or by range_end only. Kind 2: a driver with a table of its own that is filled by faults, with start, end and a
        retry, or with invalidate_range alone, while a fault is under way.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        RunOf(Early), RunOf(Late),
        SeedRun.OfModel("retry", "unmap beside a shadow table, start/end with retry", () => Build(ShadowProtocol.StartEndRetry)),
        SeedRun.OfModel("invalidate", "unmap beside a shadow table, invalidate_range alone", () => Build(ShadowProtocol.InvalidateOnly)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool sharing = IsSafe(results, Early) && !IsSafe(results, Late);
        bool own = results.Passed("retry") && !results.Passed("invalidate");
        var table = new SeedTable(
            "Unmap without a reference of the caller's", ["secondary", "invalidate_range under PTL", "start and end only"],
            [
                ["shares the tables", Result(results, Early).Cell, Result(results, Late).Cell],
                ["own tables, filled by faults", results["invalidate"].Cell, results["retry"].Cell],
            ]);
        SeedAnswer answer = (sharing, own) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds,
                "who shares the tables needs the call under the lock; who fills its own needs start, end and retry, and the "
                    + "call alone is not enough"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends,
                "true of those that share the tables; those with tables of their own are not as the mail says"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "those that share the tables do not need the call under the lock"),
        };
        return answer with { Tables = [table] };
    }

    private static CheckModel Build(ShadowProtocol protocol)
    {
        var setup = new ScenarioSetup(Variant.Fix, MemoryModelKind.Sc, TlbKind.Lagging, new Dictionary<string, int>());
        MachineOptions options = Stage.FlatOptions(setup, 2, 1, 2) with { Devices = 1, Tables = 2 };
        Stage stage = Stage.WithMappedPages(
            options, 1, mmapWriters: false, dirty: true, DeviceStage.InvalidateRangeParts(), new KernelOptions { AnonFolios = true });
        (KernelModel kernel, Mm mm) = stage;
        var driver = new ShadowDriver(stage, protocol, Pte.Leaf(0, write: true, dirty: true));
        var unmap = new UnmapPlacement(kernel, PrimaryFlush.UnderLock, SecondaryFlush.UnderLock, ReferenceHeld.No, pageLock: true);
        PageTable table = kernel.Machine.Paging.BuildPath(mm.Space, 0);
        stage.AddKernelThread(0, "reclaim", () => unmap.ShrinkPage(stage.Cpu(0), mm, 0, 0));
        stage.AddKernelThread(1, "driver", () => driver.HandleFault(stage.Cpu(1), table, 0));
        driver.Device.AddProgram(() => DeviceStage.LoadPages(driver.Device, 1));
        return new CheckModel(stage.Machine, [new PLife(new KernelFlushKnowledge(kernel)), new Assertions()], ["P-life"]);
    }
}
