using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A device like SGI's GRU as of 2010 (drivers/misc/sgi-gru/grutlbpurge.c): whatever size the process's pages have, it maps them with small
/// entries, one fault each. Callbacks of that time are here too: <c>invalidate_page</c>, and <c>invalidate_hugepage</c>, which was proposed.
/// </summary>
/// <remarks>A page that is not there is not faulted in: the device gives up.</remarks>
public class Gru : NotifierDriver
{
    private readonly KernelMutex _mutex;
    private readonly Spinlock _spinLock;

    /// <summary>Makes the device.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="sleeps">True if its callbacks take a sleeping lock, as those of XPMEM must.</param>
    public Gru(KernelModel kernel, Mm mm, bool sleeps)
        : base(kernel, mm, "gru")
    {
        Sleeps = sleeps;
        _mutex = Machine.NewMutex("gru.mutex");
        _spinLock = Machine.NewSpinLock("gru.lock");
        RangeActive = Machine.NewWord("gru.range_active");
        Seq = Machine.NewWord("gru.seq");
    }

    /// <summary>True if callbacks take a sleeping lock.</summary>
    public bool Sleeps { get; }

    /// <summary><c>gms->ms_range_active</c>: starts without their ends.</summary>
    public Word RangeActive { get; }

    /// <summary>Invalidations so far, of pages and of ranges.</summary>
    public Word Seq { get; }

    /// <inheritdoc/>
    [KernelName("gru_invalidate_range_start")]
    public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
    {
        await Lock(cpu);
        await cpu.Store(RangeActive, await cpu.Load(RangeActive) + 1);
        await Purge(cpu, range.Pages);
        await Unlock(cpu);
        return true;
    }

    /// <inheritdoc/>
    [KernelName("gru_invalidate_range_end")]
    public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
    {
        await Lock(cpu);
        await cpu.Store(Seq, await cpu.Load(Seq) + 1);
        await cpu.Store(RangeActive, await cpu.Load(RangeActive) - 1);
        await Unlock(cpu);
    }

    /// <inheritdoc/>
    [KernelName("gru_invalidate_page")]
    public override async Proc InvalidatePage(Cpu cpu, int page) => await PurgeAtOnce(cpu, PageRange.Of(page, 1));

    /// <summary>The method that seed 004 weighs: all small pages of a huge one in one call.</summary>
    [KernelName("gru_invalidate_hugepage")]
    public virtual async Proc InvalidateHugepage(Cpu cpu, int first)
        => await PurgeAtOnce(cpu, PageRange.Of(first, Machine.Paging.SpanOf(1)));

    /// <inheritdoc/>
    [KernelName("gru_try_dropin")]
    public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
    {
        ulong seq = await cpu.Load(Seq, MemoryOrder.Acquire, StepWeight.Key);
        Pte entry = await FollowPage(cpu, page, write);
        if (!entry.Present)
        {
            return false;
        }

        await Lock(cpu);
        bool active = await cpu.Load(RangeActive, weight: StepWeight.Key) != 0;
        if (!active && await cpu.Load(Seq) == seq)
        {
            await Mmu.SpteExchange(cpu, page, Pte.Leaf(entry.Frame, write), "tfh_write_restart");
        }

        await Unlock(cpu);
        if (active)
        {
            await cpu.WaitUntil(RangeActive, Condition.Equal, 0);
        }

        return true;
    }

    private async Proc PurgeAtOnce(Cpu cpu, PageRange range)
    {
        await Lock(cpu);
        await cpu.Store(Seq, await cpu.Load(Seq) + 1);
        await Purge(cpu, range);
        await Unlock(cpu);
    }

    [KernelName("gru_flush_tlb_range")]
    private async Proc Purge(Cpu cpu, PageRange range)
    {
        if (await ZapSptes(cpu, range, "tgh_invalidate"))
        {
            await Mmu.FlushTlbs(cpu, "gru_flush_tlb_range");
        }
    }

    [KernelName]
    private async Proc Lock(Cpu cpu)
    {
        if (Sleeps)
        {
            await cpu.MutexLock(_mutex);
        }
        else
        {
            await cpu.SpinLock(_spinLock);
        }
    }

    [KernelName]
    private async Proc Unlock(Cpu cpu)
    {
        if (Sleeps)
        {
            await cpu.MutexUnlock(_mutex);
        }
        else
        {
            await cpu.SpinUnlock(_spinLock);
        }
    }
}
