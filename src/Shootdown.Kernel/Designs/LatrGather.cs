using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>The end of a gather that leaves the flushes of other CPUs for later, with what waits for them.</summary>
internal sealed class LatrGather(KernelModel kernel, LatrMistake mistake) : MmuGather(kernel)
{
    private readonly LatrMistake _mistake = mistake;

    private LatrFlush Latr => (LatrFlush)Kernel.TlbFlush;

    /// <summary>
    /// <c>tlb_finish_mmu</c>, with other CPUs left for later if there is place in the queue. True if some were: the promise is returned
    /// by whoever sweeps last.
    /// </summary>
    public async Proc<bool> TlbFinishLazily(TlbGather tlb, PageRange kept, ulong promise)
    {
        if (!await Latr.Defer(tlb.Cpu))
        {
            await base.TlbFinishMmu(tlb);
            return false;
        }

        await base.TlbFinishMmu(tlb);
        bool deferred = !(await Latr.Noted(tlb.Cpu)).IsEmpty;
        if (deferred)
        {
            await Latr.Publish(tlb, await Latr.Current(tlb.Cpu), kept, promise);
        }

        await Latr.EndDeferral(tlb.Cpu);
        return deferred;
    }

    public override async Proc TlbFinishMmu(TlbGather tlb)
    {
        // What queues pages is a removal; mprotect and the like must not return before all have flushed, in the paper neither.
        if (_mistake == LatrMistake.MadviseToo && await tlb.Cpu.Load(tlb.Words.Frames) != 0)
        {
            await TlbFinishLazily(tlb, PageRange.Empty, 0);
        }
        else
        {
            await base.TlbFinishMmu(tlb);
        }
    }

    /// <summary>What the gather has queued goes into the state, if CPUs were left for later.</summary>
    protected override async Proc TlbFlushMmuFree(TlbGather tlb)
    {
        if (_mistake == LatrMistake.FreedAtOnce || (await Latr.Noted(tlb.Cpu)).IsEmpty)
        {
            await base.TlbFlushMmuFree(tlb);
            return;
        }

        LatrState state = await Latr.Current(tlb.Cpu);
        if (tlb.Words.Batch is { } batch)
        {
            Machine.Timed!.HoldBack(tlb.Cpu, -batch.Held);
            await state.Frames.Add(tlb.Cpu, batch.TakeFrames());
            state.TableList.AddRange(batch.Tables);
            batch.Tables.Clear();
            return;
        }

        await state.Frames.Add(tlb.Cpu, await tlb.Cpu.Load(tlb.Words.Frames));
        await tlb.Cpu.Store(tlb.Words.Frames, 0);
        await tlb.Cpu.Store(state.Tables, await tlb.Cpu.Load(tlb.Words.Tables));
        await tlb.Cpu.Store(tlb.Words.Tables, 0);
    }
}
