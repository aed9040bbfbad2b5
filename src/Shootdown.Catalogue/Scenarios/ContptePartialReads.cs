using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S10: a fault is answered for one member of a contiguous group, and the hardware looks at another.</summary>
public sealed class ContptePartialReads : Scenario
{
    /// <inheritdoc/>
    public override string Id => "contpte-partial-reads";

    /// <inheritdoc/>
    public override string Number => "S10";

    /// <inheritdoc/>
    public override string Title => "one entry of a contiguous group is repaired, and the device goes on faulting on another";

    /// <inheritdoc/>
    public override int Year => 2026;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["iommu", "arm64", "contpte", "livelock"];

    /// <inheritdoc/>
    public override string Property => PProgress.Name;

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 answers the device's faults, CPU1 runs a thread that stores; CPU2 one that loads; there is a device besides"),
        new("pages", 2, 2, 3, "entries of the group (16 on arm64)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        On arm64 sixteen neighbouring entries may be marked as one contiguous group. Hardware may then take any of them for any
        page of the group, so all must say the same, apart from accessed and dirty state, which software has to read from all of them.

        A store of a CPU through one page makes its entry writable and dirty. A device stores through the same page: its SMMU, which does not set
        dirty bits itself, has cached another entry of the group, still write-protected, and reports a fault for the page. The handler looks at the
        entry of that page only: it is writable and dirty, so there is nothing to do. The device tries again, and faults
        again, for ever.

        The fix looks at all entries of the group, repairs those that lag behind, and flushes the group.

        The model: an entry is write-protected until a store was recorded. The device may use any entry of the group for its
        store, and uses the same one when it tries again.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: stores to A; the entry of A becomes writable and dirty.",
        "device: stores to A, looks at the entry of B in the same group: fault.",
        "CPU0: the entry of A allows the store: nothing to do; answers.",
        "device: tries again, looks at the entry of B again: fault.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "arch/arm64/mm/contpte.c (6.12): contpte_ptep_get, contpte_ptep_set_access_flags; mails of March 2026",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        int cpus = setup["cpus"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 1) with { Devices = 1 };
        KernelParts parts = new() { PageFault = kernel => new ContpteFault(kernel, pages, setup.IsBug) };
        var kernel = new KernelModel(new MachineModel(options), null, parts);
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: false));
        }

        var stage = new Stage(kernel, mm);
        IommuSva sva = stage.BindDevice(ats: false);
        kernel.Machine.AddAgent("iopf", AgentKind.Task, stage.Cpu(0), true, () => sva.HandlePageRequests(stage.Cpu(0)));
        stage.AddThread(1, "user", () => Stage.StorePages(kernel, stage.Cpu(1), mm, 1));
        if (cpus > 2)
        {
            stage.AddThread(2, "user", () => Stage.LoadPages(kernel, stage.Cpu(2), mm, 1));
        }

        sva.Device.AddProgram(() => StoreThroughGroup(sva.Device, pages));
        return stage.ToModel(setup, new PProgress(), new PLife());
    }

    /// <summary>A store to the group's first page, through whichever entry the hardware has cached for the group.</summary>
    private static async Proc StoreThroughGroup(Device device, int members)
    {
        int member = await device.Choose(members, "a member of the group");
        while ((await device.AccessStore(member, 1)).Faulted)
        {
            await device.SendPageRequest(0, true);
            await device.AwaitPageResponse();
        }
    }

    /// <summary>arch/arm64/mm/contpte.c, for one group that covers the address space.</summary>
    private sealed class ContpteFault(KernelModel kernel, int members, bool looksAtOne) : PageFault(kernel)
    {
        private readonly int _members = members;
        private readonly bool _looksAtOne = looksAtOne;

        /// <summary>The part of <c>handle_pte_fault</c> that raises rights, for an entry of a group.</summary>
        public override async Proc<bool> HandlePteFault(Cpu cpu, Mm mm, int page, bool write, bool mayWrite)
        {
            PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
            if (write)
            {
                await ContptePtepSetAccessFlags(cpu, mm, table, page);
            }

            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            return true;
        }

        /// <summary><c>contpte_ptep_set_access_flags</c>: nothing to do if the entry says so already; which one?</summary>
        private async Proc ContptePtepSetAccessFlags(Cpu cpu, Mm mm, PageTable table, int page)
        {
            bool differs = false;
            for (int member = _looksAtOne ? page : 0; member < (_looksAtOne ? page + 1 : _members); member++)
            {
                Pte entry = await cpu.EntryRead(table, member, weight: StepWeight.Key);
                differs |= !entry.Write;
                if (!entry.Write)
                {
                    await cpu.EntryStore(table, member, Kernel.PteOps.PteMkdirty(entry).With(Pte.WriteBit), "__ptep_set_access_flags");
                }
            }

            if (differs)
            {
                await Kernel.TlbFlush.FlushTlbMmRange(cpu, mm, PageRange.Of(0, _members), 0, false);
            }
        }
    }
}
