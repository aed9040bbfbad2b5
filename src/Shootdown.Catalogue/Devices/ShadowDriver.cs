using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>How a driver with tables of its own follows the CPUs' page tables.</summary>
public enum ShadowProtocol
{
    /// <summary>Start and end around a change; a fault that meets one tries again (KVM, HMM).</summary>
    StartEndRetry,

    /// <summary>The callback for TLBs that share the tables, and nothing else.</summary>
    InvalidateOnly,
}

/// <summary>
/// The smallest secondary MMU in software: one table of its own, filled by faults from the CPUs' page tables, without references to what it maps. The
/// device's IOMMU walks that table.
/// </summary>
public sealed class ShadowDriver : MmuNotifierSubscription
{
    private readonly ShadowProtocol _protocol;
    private readonly PageTable _table;
    private readonly Spinlock _lock;
    private readonly Word _count;
    private readonly Word _sequence;

    /// <summary>Subscribes, with the first page mapped in the device's table as the CPUs map it.</summary>
    /// <param name="stage">A stage whose machine has a device and one page table to spare.</param>
    /// <param name="protocol">How it follows.</param>
    /// <param name="first">What the CPUs map at the first page.</param>
    public ShadowDriver(Stage stage, ShadowProtocol protocol, Pte first)
        : base(Owner(stage).Kernel, stage.Mm, "shadow")
    {
        _protocol = protocol;
        AddressSpace space = Machine.Paging.NewAddressSpace("shadow");
        _table = Machine.Paging.BuildPath(space, 0);
        Machine.SetInitial(Machine.Paging.EntryAddressOf(_table, 0), first.Bits);
        _lock = Machine.NewSpinLock("mmu_lock");
        _count = Machine.NewWord("mmu_invalidate_in_progress");
        _sequence = Machine.NewWord("mmu_invalidate_seq");
        Device = Machine.Devices[0];
        Device.BuildBound(space, ats: false);
    }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <inheritdoc/>
    public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
    {
        if (_protocol == ShadowProtocol.StartEndRetry)
        {
            await cpu.SpinLock(_lock);
            await cpu.AddReturn(_count, 1);
            await Zap(cpu, range.Pages);
            await cpu.SpinUnlock(_lock);
        }

        return true;
    }

    /// <inheritdoc/>
    public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
    {
        if (_protocol == ShadowProtocol.StartEndRetry)
        {
            await cpu.SpinLock(_lock);
            await cpu.AddReturn(_sequence, 1);
            await cpu.AddReturn(_count, -1);
            await cpu.SpinUnlock(_lock);
        }
    }

    /// <inheritdoc/>
    public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
    {
        if (_protocol == ShadowProtocol.InvalidateOnly)
        {
            await cpu.SpinLock(_lock);
            await Zap(cpu, range);
            await cpu.SpinUnlock(_lock);
        }
    }

    /// <summary>A fault of the device: what the CPUs map is mapped for it too, unless a change came in between.</summary>
    [KernelName("kvm_tdp_page_fault")]
    public async Proc HandleFault(Cpu cpu, PageTable table, int page)
    {
        ulong sequence = await cpu.Load(_sequence, weight: StepWeight.Context);
        Pte found = await cpu.EntryRead(table, page);
        if (!found.Present)
        {
            return;
        }

        await cpu.SpinLock(_lock);
        bool retry = _protocol == ShadowProtocol.StartEndRetry
            && (await cpu.Load(_count) != 0 || await cpu.Load(_sequence) != sequence);
        if (!retry)
        {
            await cpu.EntryExchange(_table, page, found, "set_spte");
        }

        await cpu.SpinUnlock(_lock);
    }

    /// <summary>Under the driver's lock: entries go, then what the device cached of them.</summary>
    private async Proc Zap(Cpu cpu, PageRange range)
    {
        for (int page = range.Start; page < range.End; page++)
        {
            await cpu.EntryExchange(_table, page, Pte.None, "zap_spte");
        }

        await Device.Queue.Submit(cpu, InvalidationCommand.Of(InvalidationKind.Iotlb, range.Start, range.Count));
        await Device.Queue.Await(cpu);
    }

    private static Stage Owner(Stage stage)
    {
        ArgumentNullException.ThrowIfNull(stage);
        return stage;
    }
}
