using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S09: the orders between a device's own TLB, that of its IOMMU, and the count of devices that have one.</summary>
public sealed class AtsEnableVsUnmap : Scenario
{
    private const int EnableBeforeCount = 0;
    private const int DeviceTlbFirst = 1;
    private const int NoWaitBetween = 2;

    /// <inheritdoc/>
    public override string Id => "ats-enable-vs-unmap";

    /// <inheritdoc/>
    public override string Number => "S09";

    /// <inheritdoc/>
    public override string Title => "a device's own TLB is filled between the orders that its driver relies on";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["iommu", "ats", "order", "arm64"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 unmaps, CPU1 enables ATS, CPU2 is a user thread; there is a device besides"),
        new("pages", 1, 1, 2, "pages that are unmapped"),
        new("order", EnableBeforeCount, EnableBeforeCount, NoWaitBetween,
            "0: ATS on before the count goes up; 1: the device's TLB invalidated before the IOTLB; 2: both commands without a wait between"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        With ATS a device asks the IOMMU for translations and keeps them in a TLB of its own. Whoever unmaps invalidates the IOTLB,
        and then the device's TLB if there is one: a count tells (nr_ats_masters), so that the common case is cheap.

        Three orders matter. Enabling: the count goes up before the device may cache anything, or an unmap in between sees 0 and
        skips a TLB that has been filled with what it removes. Invalidation: the IOTLB first, because the device refills from it at any
        time. And the first must have completed before the second begins: commands of one queue are executed in any order between two wait
        descriptors.

        On arm64 there is a fourth: a full fence between the end of the IOTLB's invalidation and the read of the count. The
        machines here complete the command behind a full fence, so it cannot go missing: this part needs the arm64 memory model.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: enables ATS at the device; the device loads A: its own TLB holds A -> F.",
        "CPU0: munmap(A): clears the entry, invalidates the IOTLB; reads nr_ats_masters: 0; frees F.",
        "device: loads A through its own TLB.",
        "CPU1: nr_ats_masters++.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c (6.1): arm_smmu_atc_inv_domain, arm_smmu_enable_ats",
        "drivers/iommu/amd/iommu.c (6.1): IOTLB commands are queued before those for the device, and waited for",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int order = setup["order"];
        return new() { IommuSva = (kernel, mm, device, registration) => new WrongOrder(kernel, mm, device, order, registration) };
    }

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        int order = setup["order"];
        bool enables = order == EnableBeforeCount;
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 2) with { Devices = 1 };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true);
        (KernelModel kernel, Mm mm) = stage;
        Device device = stage.Machine.Devices[0];
        IommuSva sva = setup.IsBug ? new WrongOrder(kernel, mm, device, order) : new IommuSva(kernel, mm, device, !enables, true, enables);
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(0), mm, promise));
        if (enables)
        {
            stage.AddKernelThread(1, "driver", () => sva.EnableAts(stage.Cpu(1)));
        }
        else
        {
            stage.AddThread(1, "user", () => Stage.LoadPages(kernel, stage.Cpu(1), mm, pages));
        }

        if (setup["cpus"] > 2)
        {
            stage.AddThread(2, "user", () => Stage.LoadPages(kernel, stage.Cpu(2), mm, pages));
        }

        sva.Device.AddProgram(() => DeviceStage.LoadPages(sva.Device, pages));
        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <summary>A driver that gets one of the orders wrong.</summary>
    private sealed class WrongOrder(
        KernelModel kernel, Mm mm, Device device, int order, NotifierRegistration registration = NotifierRegistration.Always)
        : IommuSva(
            kernel,
            mm,
            device,
            order != EnableBeforeCount && registration == NotifierRegistration.Always,
            registration != NotifierRegistration.Unregistered,
            order == EnableBeforeCount || registration != NotifierRegistration.Always,
            registration)
    {
        private readonly int _order = order;

        /// <inheritdoc/>
        public override async Proc EnableAts(Cpu cpu)
        {
            await InvalidateDeviceTlb(cpu, PageRange.All);
            await cpu.EnableAts(Device);
            await cpu.AddReturn(NrAtsMasters, 1, StepWeight.Key);
        }

        /// <inheritdoc/>
        [KernelName("arch_invalidate_secondary_tlbs")]
        public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
        {
            if (_order == DeviceTlbFirst)
            {
                await InvalidateDeviceTlb(cpu, range);
                await InvalidateIotlb(cpu, range);
            }
            else if (_order == NoWaitBetween)
            {
                await Device.Queue.Submit(cpu, CommandOf(InvalidationKind.Iotlb, range), withWait: false);
                await InvalidateDeviceTlb(cpu, range);
            }
            else
            {
                await base.ArchInvalidateSecondaryTlbs(cpu, range);
            }
        }
    }
}
