using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A gather that notes the flags of the area that it is at (include/asm-generic/tlb.h, 5.15), asserts that start and end of an
/// area pair, and counts what they cost.
/// </summary>
public sealed class FlaggedGather : MmuGather
{
    private const ulong ExecBit = 1;
    private const ulong HugeBit = 2;
    private readonly GatherFlagsCase _case;
    private readonly FlushPolicy _policy;
    private readonly Word _flags;
    private readonly Word _open;

    /// <summary>Makes its words.</summary>
    public FlaggedGather(KernelModel kernel, GatherFlagsCase run)
        : base(kernel)
    {
        ArgumentNullException.ThrowIfNull(run);
        _case = run;
        _policy = FlushPolicy.Make(kernel, run.Policy);
        Cpu cpu = Machine.Cpus[0];
        _flags = Machine.NewLocalWord(cpu, "tlb.vma_flags");
        _open = Machine.NewLocalWord(cpu, "tlb.vma");
        CacheFlushes = Machine.NewLocalWord(cpu, "cache_flushes");
        TlbFlushes = Machine.NewLocalWord(cpu, "tlb_flushes");
    }

    /// <summary>Calls of flush_cache_range.</summary>
    public Word CacheFlushes { get; }

    /// <summary>Calls of tlb_flush.</summary>
    public Word TlbFlushes { get; }

    /// <summary>include/asm-generic/tlb.h: <c>tlb_start_vma</c>: <c>tlb_update_vma_flags</c>, <c>flush_cache_range</c>.</summary>
    [KernelName("tlb_start_vma")]
    public async Proc Start(TlbGather tlb, int vma)
    {
        await Rule(tlb.Cpu, PairRule.Pages, await tlb.Cpu.Load(_open) == 0, $"tlb_start_vma(vma {vma}) comes behind a tlb_end_vma");
        await tlb.Cpu.Store(_open, (ulong)vma + 1);
        await StoreFlags(tlb, FlagsOf(_case.Vmas[vma]));
        await Count(tlb.Cpu, CacheFlushes);
    }

    /// <summary>include/asm-generic/tlb.h: <c>tlb_end_vma</c>: flushes, unless areas are merged.</summary>
    [KernelName("tlb_end_vma")]
    public async Proc End(TlbGather tlb, int vma)
    {
        int started = (int)await tlb.Cpu.Load(_open) - 1;
        await Rule(tlb.Cpu, PairRule.Pages, started == vma, $"tlb_end_vma(vma {vma}) ends what tlb_start_vma(vma {started}) started");
        await tlb.Cpu.Store(_open, 0);
        if (!_policy.MergesVmas)
        {
            await TlbFlushMmuTlbonly(tlb);
        }
    }

    /// <summary>Or-s the flags of all areas of a run.</summary>
    [KernelName("tlb_update_vma_flags")]
    public async Proc UniteFlags(TlbGather tlb, int first, int last)
    {
        ulong flags = 0;
        for (int vma = first; vma <= last; vma++)
        {
            flags |= FlagsOf(_case.Vmas[vma]);
        }

        await StoreFlags(tlb, flags);
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
    public override async Proc<bool> TlbRemovePage(TlbGather tlb, int frame, bool delayRmap)
    {
        await Rule(tlb.Cpu, PairRule.Pages, await tlb.Cpu.Load(_open) != 0, "a page is queued between tlb_start_vma and tlb_end_vma");
        return await base.TlbRemovePage(tlb, frame, delayRmap);
    }

    /// <inheritdoc/>
    public override async Proc TlbRemoveTableEntry(TlbGather tlb, int page, int level)
    {
        await Rule(tlb.Cpu, PairRule.Tables, await tlb.Cpu.Load(_open) != 0, "a table is queued between tlb_start_vma and tlb_end_vma");
        await base.TlbRemoveTableEntry(tlb, page, level);
    }

    /// <inheritdoc/>
    protected override async Proc TlbFlush(TlbGather tlb, ulong flags)
    {
        await Count(tlb.Cpu, TlbFlushes);
        var range = new PageRange(await tlb.Cpu.Load(tlb.Words.Range));
        ulong noted = await tlb.Cpu.Load(_flags);
        await _policy.TlbFlush(new GatherFlush(range, (flags & GatherWords.FreedTables) != 0, (noted & ExecBit) != 0, (noted & HugeBit) != 0));
    }

    private static ulong FlagsOf(VmaKind vma) => (vma.Exec ? ExecBit : 0) | (vma.Huge ? HugeBit : 0);

    [KernelName]
    private async Proc Rule(Cpu cpu, PairRule rule, bool holds, string what)
    {
        if (_case.Judges >= rule)
        {
            await cpu.Assert(holds, what);
        }
    }

    [KernelName]
    private static async Proc Count(Cpu cpu, Word word) => await cpu.AddReturn(word, 1);

    [KernelName("tlb_update_vma_flags")]
    private async Proc StoreFlags(TlbGather tlb, ulong flags) => await tlb.Cpu.Store(_flags, flags);
}
