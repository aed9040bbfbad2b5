using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// A device with a TLB of its own that walks the CPUs' page tables (IOMMU SVA with ATS), in the smallest form that has a time: it makes
/// its accesses one after the other, from a CPU that stands for it and has no user address space loaded. Its costs are estimates.
/// </summary>
/// <remarks>
/// A fault is handled at once by that CPU (page request, handle_mm_fault, response). An invalidation is submitted and waited for by
/// whoever flushes, as <c>intel_flush_svm_range_dev</c> and <c>arm_smmu_mm_arch_invalidate_secondary_tlbs</c> do; queues of several devices
/// and limits of bandwidth are left out.
/// </remarks>
internal sealed class TimedDevice : MmuNotifierSubscription
{
    private const int WholeTlbFrom = 512;
    private readonly TimedKernel _kernel;
    private readonly CpuTlb _tlb;
    private readonly int _accessNs;
    private readonly int _walkNs;
    private readonly int _faultNs;
    private readonly int _invalidateNs;

    internal TimedDevice(TimedKernel kernel, Mm mm, string name)
        : base(kernel.Kernel, mm, name)
    {
        _kernel = kernel;
        CostTable costs = kernel.Machine.Costs;
        _tlb = new CpuTlb(costs.Tlb, 1);
        _accessNs = costs["estimates.device_access_ns"];
        _walkNs = costs["estimates.device_walk_ns"];
        _faultNs = costs["estimates.device_fault_ns"];
        _invalidateNs = costs["estimates.device_invalidate_ns"];
    }

    /// <inheritdoc/>
    public override bool HasInvalidateRangeEnd => false;

    /// <summary>Invalidations that it was sent.</summary>
    internal long Invalidations { get; private set; }

    /// <inheritdoc/>
    public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
    {
        Invalidations++;
        _kernel.Machine.Charge(cpu, _invalidateNs);
        if (range.IsAll || range.Count >= WholeTlbFrom)
        {
            _tlb.DropAll(0);
            return;
        }

        for (int page = range.Start; page < range.End; page++)
        {
            _tlb.DropPage(0, page);
        }
    }

    /// <summary>A load by the device; the CPU is the one that stands for it.</summary>
    internal async Proc Load(Cpu cpu, int page)
    {
        _kernel.Machine.Charge(cpu, _accessNs);
        if (_tlb.Find(0, page, out ulong entry, out _, out _) != CpuTlb.Level.None)
        {
            _kernel.Machine.NoteStale(new Pte(entry));
            return;
        }

        _kernel.Machine.Charge(cpu, _walkNs);
        Pte leaf = _kernel.Machine.Tables.Walk(Mm.Space.RootTable, page, out int table, out int level);
        while (!leaf.Present)
        {
            _kernel.Machine.Charge(cpu, _faultNs);
            if (!await _kernel.HandleFault(cpu, Mm, page, false))
            {
                throw new ProcRuleException($"{Name} reads {Paging.AddressText(page)}, where nothing is mapped");
            }

            leaf = _kernel.Machine.Tables.Walk(Mm.Space.RootTable, page, out table, out level);
        }

        _kernel.Machine.Tables.SetHardwareBits(table, level, page, leaf.With(Pte.AccessedBit));
        _tlb.Fill(0, page, leaf.Bits, level > 0);
    }
}
