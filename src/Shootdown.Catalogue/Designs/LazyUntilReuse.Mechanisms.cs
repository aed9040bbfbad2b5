using System.Collections.Immutable;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Who owes what: CPUs that may hold read-only translations of frames that were given up.</summary>
internal sealed class LufBatch : TlbBatch
{
    private readonly ReuseMistake _mistake;
    private readonly CpuMask _owedCpus;
    private readonly Word _owedFrames;
    private readonly Spinlock _lock;
    private readonly ImmutableArray<Word> _mine;

    public LufBatch(KernelModel kernel, ReuseMistake mistake)
        : base(kernel)
    {
        _mistake = mistake;
        _owedCpus = Machine.NewCpuMask("luf_cpumask");
        _owedFrames = Machine.NewWord("luf_frames");
        _lock = Machine.NewSpinLock("luf_lock");
        _mine = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb_ubc_luf"))];
    }

    /// <summary>The CPUs are noted before the entry's lock is dropped, and so before the folio can leave the page cache.</summary>
    public override async Proc SetTlbUbcFlushPending(Cpu cpu, Mm mm, Pte old)
    {
        bool allowsStores = _mistake == ReuseMistake.CleanCountsAsReadOnly ? old.Dirty : old.Write;
        if (allowsStores || !old.Present)
        {
            await base.SetTlbUbcFlushPending(cpu, mm, old);
            return;
        }

        await Kernel.TlbFlush.IncMmTlbGen(cpu, mm);
        await cpu.FetchOr(_owedCpus, await cpu.Load(mm.CpuMask), StepWeight.Key);
        await cpu.Store(_mine[cpu.Index], await cpu.Load(_mine[cpu.Index]) | (1UL << old.Frame));
        if (_mistake != ReuseMistake.AddressReused)
        {
            await IncFlushBatched(cpu, mm);
        }
    }

    /// <summary>The frames of a mask that this task has unmapped without a flush.</summary>
    public async Proc<ulong> TakeMine(Cpu cpu, ulong frames)
    {
        ulong mine = await cpu.Load(_mine[cpu.Index]);
        await cpu.Store(_mine[cpu.Index], mine & ~frames);
        return mine & frames;
    }

    /// <summary>Frames are given up: they are free, but owed.</summary>
    public async Proc GiveUp(Cpu cpu, ulong frames) => await cpu.FetchOr(_owedFrames, frames, StepWeight.Key);

    /// <summary>True if anybody is owed a flush.</summary>
    public async Proc<bool> IsOwed(Cpu cpu) => !(await cpu.Load(_owedCpus, weight: StepWeight.Context)).IsEmpty;

    /// <summary>
    /// Flushes what is owed and makes the frames free. Frames are taken before CPUs: theirs were noted earlier. Under the
    /// lock: who finds nothing owed must not go on while another still flushes.
    /// </summary>
    [KernelName("luf_flush")]
    public async Proc LufFlush(Cpu cpu, bool flushes = true)
    {
        await cpu.SpinLock(_lock);
        ulong frames = await cpu.Exchange(_owedFrames, 0);
        CpuSet cpus = flushes ? await cpu.Exchange(_owedCpus, default) : default;
        if (!cpus.IsEmpty)
        {
            FlushTlbInfo info = FlushTlbInfo.Of(null, PageRange.All, 0, false, FlushTlbInfo.TlbGenerationInvalid);
            await Kernel.TlbFlush.FlushTlbMulti(cpu, cpus, info);
        }

        if (frames != 0)
        {
            await cpu.ReclaimFrames(frames, "prep_new_page");
        }

        await cpu.SpinUnlock(_lock);
    }

    /// <summary>An allocation for the kernel itself, e.g. of a slab.</summary>
    public async Proc AllocSlab(Cpu cpu) => await LufFlush(cpu, _mistake != ReuseMistake.AllocatorSkipsHook);
}

internal sealed class LufReclaim(KernelModel kernel) : Reclaim(kernel)
{
    private LufBatch Luf => (LufBatch)Kernel.TlbBatch;

    protected override async Proc FreeUnrefFolios(Cpu cpu, FrameSet frames)
    {
        ulong owed = await Luf.TakeMine(cpu, frames.Mask);
        if (owed != 0)
        {
            await Luf.GiveUp(cpu, owed);
        }

        if (owed != frames.Mask)
        {
            await base.FreeUnrefFolios(cpu, frames.Mask & ~owed);
        }
    }

    /// <summary>A folio that stays may be freed by somebody who knows of nothing.</summary>
    protected override async Proc<bool> RemoveMapping(Cpu cpu, int frame, FolioMapping mapping)
    {
        bool removed = await base.RemoveMapping(cpu, frame, mapping);
        if (!removed && await Luf.TakeMine(cpu, 1UL << frame) != 0)
        {
            await Luf.LufFlush(cpu);
        }

        return removed;
    }
}

internal sealed class LufPageFault(KernelModel kernel) : PageFault(kernel)
{
    /// <summary>A frame that is owed nothing, or else one that is flushed first.</summary>
    protected override async Proc<int> AllocFrame(Cpu cpu, int page)
    {
        int frame = await cpu.AllocFrame(page);
        if (frame < 0)
        {
            await ((LufBatch)Kernel.TlbBatch).LufFlush(cpu);
            frame = await base.AllocFrame(cpu, page);
        }

        return frame;
    }
}

internal sealed class LufFilemap(KernelModel kernel, ReuseMistake mistake) : Filemap(kernel)
{
    private readonly ReuseMistake _mistake = mistake;

    public override async Proc<int> FilemapAddFolio(Cpu cpu, FileMapping file, int index, int page)
    {
        var luf = (LufBatch)Kernel.TlbBatch;
        if (_mistake != ReuseMistake.PageCacheChanged && await luf.IsOwed(cpu))
        {
            await luf.LufFlush(cpu);
        }

        return await base.FilemapAddFolio(cpu, file, index, page);
    }
}
