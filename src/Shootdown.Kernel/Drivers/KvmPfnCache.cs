using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A virtual machine with a cache of one guest page that the kernel itself uses (virt/kvm/pfncache.c, 6.12): the page that is mapped in the
/// kernel, without a reference, until the notifier or its user invalidates it.
/// </summary>
/// <remarks>The cache's lock is a reader-writer spinlock in the kernel.</remarks>
public class KvmPfnCache : Kvm
{
    private readonly int _page;

    /// <summary>Makes the virtual machine and a cache of a page, which is not valid at first.</summary>
    public KvmPfnCache(KernelModel kernel, Mm mm, int page)
        : base(kernel, mm)
    {
        _page = page;
        Cache = new SoftwareMmu(Machine, mm.Space, "gpc");
        CacheLock = Machine.NewSpinLock("gpc.lock");
        ActiveInvalidateCount = Machine.NewWord("kvm.mn_active_invalidate_count");
    }

    /// <summary><c>gpc->khva</c>, <c>pfn</c> and <c>valid</c>: an entry for the page while the cache is valid.</summary>
    public SoftwareMmu Cache { get; }

    /// <summary><c>gpc->lock</c>.</summary>
    public Spinlock CacheLock { get; }

    /// <summary><c>kvm->mn_active_invalidate_count</c>: raised before caches are invalidated, lowered last.</summary>
    public Word ActiveInvalidateCount { get; }

    /// <inheritdoc/>
    [KernelName("kvm_mmu_notifier_invalidate_range_start")]
    public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
    {
        await cpu.AddReturn(ActiveInvalidateCount, 1);
        await GfnToPfnCacheInvalidateStart(cpu, range.Pages);
        return await base.InvalidateRangeStart(cpu, range);
    }

    /// <inheritdoc/>
    [KernelName("kvm_mmu_notifier_invalidate_range_end")]
    public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
    {
        await base.InvalidateRangeEnd(cpu, range);
        await cpu.AddReturn(ActiveInvalidateCount, -1);
    }

    /// <summary>The kernel reads guest memory through the cache (<c>kvm_gpc_check</c>, and <c>kvm_gpc_refresh</c> while it is not valid).</summary>
    [KernelName]
    public virtual async Proc<bool> ReadThroughCache(Cpu cpu)
    {
        await cpu.SpinLock(CacheLock);
        while ((await Cache.SpteRead(cpu, _page)).IsNone)
        {
            await cpu.SpinUnlock(CacheLock);
            if (!await KvmGpcRefresh(cpu))
            {
                return false;
            }

            await cpu.SpinLock(CacheLock);
        }

        await Cache.AccessTouch(cpu, _page);
        await cpu.SpinUnlock(CacheLock);
        return true;
    }

    /// <summary>virt/kvm/pfncache.c: <c>__kvm_gpc_refresh</c> with <c>hva_to_pfn_retry</c>: the page is looked up without the cache's lock.</summary>
    [KernelName("hva_to_pfn_retry")]
    public virtual async Proc<bool> KvmGpcRefresh(Cpu cpu)
    {
        // Acquire: smp_rmb(), pairs with kvm_mmu_invalidate_end().
        ulong seq = await cpu.Load(InvalidateSeq, MemoryOrder.Acquire, StepWeight.Key);
        Pte entry = await GetUserPage(cpu, _page, false);
        if (!entry.Present)
        {
            return false;
        }

        await cpu.SpinLock(CacheLock);
        bool retry = await MmuNotifierRetryCache(cpu, seq);
        if (!retry)
        {
            await Cache.SpteExchange(cpu, _page, Pte.Leaf(entry.Frame, false), "set_gpc_valid");
        }

        await cpu.SpinUnlock(CacheLock);
        if (retry)
        {
            await WaitForInvalidations(cpu);
        }

        return true;
    }

    /// <summary>
    /// virt/kvm/pfncache.c: <c>mmu_notifier_retry_cache</c>: the count that counts is the one that was raised before the cache was invalidated.
    /// </summary>
    protected virtual async Proc<bool> MmuNotifierRetryCache(Cpu cpu, ulong seq)
        => await cpu.Load(ActiveInvalidateCount, MemoryOrder.Acquire, StepWeight.Key) != 0
            || await cpu.Load(InvalidateSeq, weight: StepWeight.Key) != seq;

    /// <summary>The kernel looks again and again until nothing is in progress; here it waits.</summary>
    [KernelName]
    protected virtual async Proc WaitForInvalidations(Cpu cpu) => await cpu.WaitUntil(ActiveInvalidateCount, Condition.Equal, 0);

    /// <summary>virt/kvm/pfncache.c: <c>gfn_to_pfn_cache_invalidate_start</c>.</summary>
    protected virtual async Proc GfnToPfnCacheInvalidateStart(Cpu cpu, PageRange range)
    {
        if (_page < range.Start || _page >= range.End)
        {
            return;
        }

        await cpu.SpinLock(CacheLock);
        await Cache.SpteExchange(cpu, _page, Pte.None, "clear_gpc_valid");
        await Cache.FlushTlbs(cpu, "kunmap");
        await cpu.SpinUnlock(CacheLock);
    }
}
