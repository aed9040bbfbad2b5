using System.Collections.Immutable;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// The gather of Linux 2.6.33 (include/asm-generic/tlb.h): one for each CPU, held with preemption off. It knows the address space only from
/// its own field, and a flush is one of the whole address space. With <see cref="Design2010.GatherOnStack"/> the caller brings its own.
/// </summary>
public sealed class Gather2010 : MmuGather
{
    private readonly ImmutableArray<PerCpuObject> _objects;
    private readonly ImmutableArray<GatherWords> _words;
    private readonly ImmutableArray<Word> _mms;
    private readonly bool _onStack;

    /// <summary>Makes the gathers of all CPUs.</summary>
    public Gather2010(KernelModel kernel, Design2010 design)
        : base(kernel)
    {
        ArgumentNullException.ThrowIfNull(design);
        _onStack = design.GatherOnStack;
        if (!_onStack)
        {
            _objects = [.. Machine.Cpus.Select(cpu => new PerCpuObject(cpu, "mmu_gathers"))];
            _words = [.. Machine.Cpus.Select(cpu => GatherWords.Shared(Machine, $"mmu_gathers[{cpu.Index}]"))];
            _mms = [.. Machine.Cpus.Select(cpu => Machine.NewWord($"mmu_gathers[{cpu.Index}].mm", show: NameOf))];
        }
    }

    /// <summary>
    /// include/asm-generic/tlb.h: <c>tlb_gather_mmu</c>: <c>get_cpu_var(mmu_gathers)</c>, then a fresh start, whatever was in it.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="stack">The caller's own gather; used only where the design has it on the stack.</param>
    [KernelName("tlb_gather_mmu")]
    public async Proc<TlbGather> Gather(Cpu cpu, Mm mm, GatherWords stack)
    {
        if (_onStack)
        {
            return new TlbGather(cpu, mm, stack);
        }

        await cpu.PreemptDisable();
        var tlb = new TlbGather(cpu, mm, _words[cpu.Index]);
        await cpu.UsePerCpu(_objects[cpu.Index]);
        await cpu.Store(_mms[cpu.Index], (ulong)mm.Index, weight: StepWeight.Key);
        await cpu.Store(tlb.Words.Frames, 0);
        return tlb;
    }

    /// <inheritdoc/>
    public override async Proc TlbStartVma(TlbGather tlb, FileArea? area)
    {
    }

    /// <inheritdoc/>
    public override async Proc TlbEndVma(TlbGather tlb)
    {
    }

    /// <inheritdoc/>
    public override async Proc TlbRemoveTlbEntry(TlbGather tlb, int page, int level)
    {
        await UseObject(tlb);
        await tlb.Cpu.Store(tlb.Words.Flags, GatherWords.Cleared(level));
    }

    /// <inheritdoc/>
    public override async Proc<bool> TlbRemovePage(TlbGather tlb, int frame, bool delayRmap)
    {
        await UseObject(tlb);
        ulong frames = await tlb.Cpu.Load(tlb.Words.Frames);
        await tlb.Cpu.Store(tlb.Words.Frames, frames | (1UL << frame), weight: StepWeight.Key);
        return false;
    }

    /// <inheritdoc/>
    public override async Proc TlbFlushMmu(TlbGather tlb)
    {
        await UseObject(tlb);
        if (await tlb.Cpu.Load(tlb.Words.Flags) == 0)
        {
            return;
        }

        await tlb.Cpu.Store(tlb.Words.Flags, 0);
        await FlushItsMm(tlb);
        ulong frames = await tlb.Cpu.Load(tlb.Words.Frames);
        await tlb.Cpu.Store(tlb.Words.Frames, 0);
        if (frames != 0)
        {
            await tlb.Cpu.PutFrames(frames, "free_pages_and_swap_cache");
        }
    }

    /// <summary>include/asm-generic/tlb.h: <c>tlb_finish_mmu</c>, with <c>put_cpu_var</c> at the end.</summary>
    public override async Proc TlbFinishMmu(TlbGather tlb)
    {
        await TlbFlushMmu(tlb);
        if (!_onStack)
        {
            await tlb.Cpu.PreemptEnable();
        }
    }

    private static string NameOf(ulong mm) => $"mm{mm}";

    private int OwnerOf(TlbGather tlb) => _words.IndexOf(tlb.Words);

    [KernelName]
    private async Proc UseObject(TlbGather tlb)
    {
        if (!_onStack)
        {
            await tlb.Cpu.UsePerCpu(_objects[OwnerOf(tlb)]);
        }
    }

    /// <summary>arch/x86/include/asm/tlb.h: <c>tlb_flush</c>: <c>flush_tlb_mm(tlb->mm)</c>.</summary>
    [KernelName("tlb_flush")]
    private async Proc FlushItsMm(TlbGather tlb)
    {
        int index = tlb.Mm.Index;
        if (!_onStack)
        {
            index = (int)await tlb.Cpu.Load(_mms[OwnerOf(tlb)], weight: StepWeight.Key);
        }

        await Kernel.TlbFlush.FlushTlbMm(tlb.Cpu, Kernel.Mms[index]);
    }
}
