using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Sharing of an address space with a device: the driver of the IOMMU subscribes and turns every flush into commands of its invalidation queue
/// (drivers/iommu/intel/svm.c, arm/arm-smmu-v3/arm-smmu-v3-sva.c, 6.12). It has neither start nor end: the hardware fills its TLBs by itself, so only
/// an invalidation behind the change of an entry helps.
/// </summary>
/// <remarks>
/// A device has one PASID. Real drivers flush a large range as a whole, and lock the queue; here submitting is one step.
/// </remarks>
public class IommuSva : MmuNotifierSubscription
{
    private readonly bool _atsChanges;

    /// <summary>Binds the device to the address space in the initial state, or lets a program do it.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="device">The device.</param>
    /// <param name="ats">True if the device has a TLB of its own in use from the first state on.</param>
    /// <param name="bound">False if a program calls <see cref="BindDevice"/>.</param>
    /// <param name="atsChanges">True if a program calls <see cref="EnableAts"/>: only then is the number of users of ATS a word that is read.</param>
    /// <param name="registration">Whether it is subscribed all the time.</param>
    public IommuSva(
        KernelModel kernel,
        Mm mm,
        Device device,
        bool ats,
        bool bound = true,
        bool atsChanges = false,
        NotifierRegistration registration = NotifierRegistration.Always)
        : base(kernel, mm, "iommu", registration)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
        HasAts = ats;
        _atsChanges = atsChanges;
        NrAtsMasters = Machine.NewWord("nr_ats_masters", ats ? 1UL : 0);
        device.BuildBound(Mm.Space, ats, bound);
    }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>True if the device's own TLB is in use from the first state on.</summary>
    public bool HasAts { get; }

    /// <summary>Devices with ATS on (<c>smmu_domain->nr_ats_masters</c>).</summary>
    public Word NrAtsMasters { get; }

    /// <inheritdoc/>
    public override bool HasInvalidateRangeEnd => false;

    /// <summary>
    /// drivers/iommu/intel/svm.c: <c>intel_arch_invalidate_secondary_tlbs</c>. First the IOTLB, and only when that is done the device's TLB: the
    /// device refills it from the IOTLB at any time.
    /// </summary>
    [KernelName("arch_invalidate_secondary_tlbs")]
    public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
    {
        await InvalidateIotlb(cpu, range);
        if (await HasAtsMasters(cpu))
        {
            await InvalidateDeviceTlb(cpu, range);
        }
    }

    /// <summary>
    /// drivers/iommu/intel/svm.c: <c>intel_mm_release</c>. The entry of the PASID goes first, while the tables are still there: until
    /// this returns the hardware may walk them.
    /// </summary>
    public override async Proc Release(Cpu cpu) => await TearDownPasidEntry(cpu);

    /// <summary>
    /// drivers/iommu/iommu-sva.c: <c>iommu_sva_bind_device</c>, with drivers/iommu/intel/svm.c: <c>intel_svm_bind_mm</c>: subscribed first, because
    /// the hardware fills its TLBs as soon as the entry is there.
    /// </summary>
    public virtual async Proc BindDevice(Cpu cpu)
    {
        if (Mm.NotifierList is not null)
        {
            await Kernel.MmuNotifierList.MmuNotifierRegister(cpu, this);
        }

        await cpu.PasidEntryStore(Device, true, "pasid_set_present()");
    }

    /// <summary>
    /// drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: <c>arm_smmu_enable_ats</c>. The count goes up before the device may fill its TLB: who
    /// invalidates behind that sees it.
    /// </summary>
    public virtual async Proc EnableAts(Cpu cpu)
    {
        await cpu.AddReturn(NrAtsMasters, 1, StepWeight.Key);
        await InvalidateDeviceTlb(cpu, PageRange.All);
        await cpu.EnableAts(Device);
    }

    /// <summary>drivers/iommu/io-pgfault.c, iommu-sva.c: <c>iommu_sva_handle_iopf</c>: answers the device's page requests, for ever.</summary>
    public virtual async Proc HandlePageRequests(Cpu cpu)
    {
        while (true)
        {
            int request = (int)await cpu.WaitUntil(Device.PageRequest, Condition.NotEqual, 0);
            await IommuSvaHandleIopf(cpu, (request / 2) - 1, (request & 1) != 0);
            await cpu.Store(Device.PageRequest, 0, weight: StepWeight.Key);
        }
    }

    /// <summary>drivers/iommu/iommu-sva.c: <c>iommu_sva_handle_mm</c>.</summary>
    [KernelName("iommu_sva_handle_mm")]
    public virtual async Proc IommuSvaHandleIopf(Cpu cpu, int page, bool write)
        => await Kernel.PageFault.HandleMmFault(cpu, Mm, page, write);

    /// <summary>
    /// drivers/iommu/intel/pasid.c: <c>intel_pasid_tear_down_entry</c>: clears the entry, then drops all that was cached of it and through it.
    /// </summary>
    protected virtual async Proc TearDownPasidEntry(Cpu cpu)
    {
        await cpu.PasidEntryStore(Device, false, "pasid_clear_entry()");
        await Submit(cpu, InvalidationCommand.Of(InvalidationKind.Pasid));
        if (await HasAtsMasters(cpu))
        {
            await Submit(cpu, InvalidationCommand.Of(InvalidationKind.DeviceTlbAll));
        }
    }

    /// <summary>drivers/iommu/intel/dmar.c: <c>qi_flush_piotlb</c>: the IOTLB, and what the IOMMU's walk cache holds of the range.</summary>
    protected virtual async Proc InvalidateIotlb(Cpu cpu, PageRange range) => await Submit(cpu, CommandOf(InvalidationKind.Iotlb, range));

    /// <summary>drivers/iommu/intel/dmar.c: <c>qi_flush_dev_iotlb_pasid</c>: the device's own TLB.</summary>
    protected virtual async Proc InvalidateDeviceTlb(Cpu cpu, PageRange range)
        => await Submit(cpu, CommandOf(InvalidationKind.DeviceTlb, range));

    /// <summary>
    /// drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: the test in <c>arm_smmu_atc_inv_domain</c>. The queue's tail was written behind a full
    /// fence, so the count is read behind the change of the entry: pairs with <see cref="EnableAts"/>.
    /// </summary>
    protected virtual async Proc<bool> HasAtsMasters(Cpu cpu)
        => _atsChanges ? await cpu.Load(NrAtsMasters, weight: StepWeight.Key) != 0 : HasAts;

    /// <summary>drivers/iommu/intel/dmar.c: <c>qi_submit_sync</c>: a command and the wait for it.</summary>
    [KernelName("qi_submit_sync")]
    protected async Proc Submit(Cpu cpu, InvalidationCommand command)
    {
        await Device.Queue.Submit(cpu, command);
        await Device.Queue.Await(cpu);
    }

    /// <summary>A command on a range.</summary>
    protected InvalidationCommand CommandOf(InvalidationKind kind, PageRange range)
        => range.IsAll ? InvalidationCommand.Of(kind, 0, Machine.Paging.PageCount) : InvalidationCommand.Of(kind, range.Start, range.Count);
}
