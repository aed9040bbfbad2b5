using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Who owes what: CPUs that may hold read-only translations of frames that were given up.</summary>
public sealed class LufBatch : TlbBatch
{
    private readonly ReuseMistake _mistake;
    private readonly CpuMask _owedCpus;
    private readonly HeldFrames _owedFrames;
    private readonly Spinlock _lock;
    private readonly ImmutableArray<Word> _mine;
    private readonly ImmutableArray<FrameMarks> _marks;

    internal LufBatch(KernelModel kernel, ReuseMistake mistake)
        : base(kernel)
    {
        _mistake = mistake;
        _owedCpus = Machine.NewCpuMask("luf_cpumask");
        _owedFrames = new HeldFrames(Machine, Machine.NewWord("luf_frames"));
        _lock = Machine.NewSpinLock("luf_lock");
        _mine = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb_ubc_luf"))];
        _marks = Machine.Timed is null ? [] : [.. Machine.Cpus.Select(_ => new FrameMarks())];
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
        if (Machine.Timed is null)
        {
            await cpu.Store(_mine[cpu.Index], await cpu.Load(_mine[cpu.Index]) | (1UL << old.Frame));
        }
        else
        {
            _marks[cpu.Index].Add(old.Frame);
        }

        if (_mistake != ReuseMistake.AddressReused)
        {
            await IncFlushBatched(cpu, mm);
        }
    }

    /// <summary>The frames of a set that this task has unmapped without a flush; it forgets them. The others of the set are the second part.</summary>
    public async Proc<(FrameSet Mine, FrameSet Others)> TakeMine(Cpu cpu, FrameSet frames)
    {
        if (Machine.Timed is not null)
        {
            return _marks[cpu.Index].Take(frames, Kernel.NewFrameSet(), Kernel.NewFrameSet());
        }

        ulong mine = await cpu.Load(_mine[cpu.Index]);
        await cpu.Store(_mine[cpu.Index], mine & ~frames.Mask);
        return (mine & frames.Mask, frames.Mask & ~mine);
    }

    /// <summary>Frames are given up: they are free, but owed.</summary>
    public async Proc GiveUp(Cpu cpu, FrameSet frames) => await _owedFrames.Add(cpu, frames);

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
        FrameSet frames = await _owedFrames.TakeAll(cpu);
        CpuSet cpus = flushes ? await cpu.Exchange(_owedCpus, default) : default;
        if (!cpus.IsEmpty)
        {
            FlushTlbInfo info = FlushTlbInfo.Of(null, PageRange.All, 0, false, FlushTlbInfo.TlbGenerationInvalid);
            await Kernel.TlbFlush.FlushTlbMulti(cpu, cpus, info);
        }

        if (!frames.IsEmpty)
        {
            await cpu.ReclaimFrames(frames, "prep_new_page");
        }

        await cpu.SpinUnlock(_lock);
    }

    /// <summary>An allocation for the kernel itself, e.g. of a slab.</summary>
    public async Proc AllocSlab(Cpu cpu) => await LufFlush(cpu, _mistake != ReuseMistake.AllocatorSkipsHook);
}
