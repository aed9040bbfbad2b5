using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Which <see cref="FlushPolicy"/>.</summary>
public enum FlushPolicyKind
{
    /// <summary><see cref="IgnoresFlags"/>.</summary>
    IgnoresFlags,

    /// <summary><see cref="HugeOnly"/>.</summary>
    HugeOnly,

    /// <summary><see cref="ExecAddsInstructionTlb"/>.</summary>
    ExecAddsInstructionTlb,

    /// <summary><see cref="X86Flush"/>.</summary>
    X86,

    /// <summary><see cref="Arm64Flush"/>.</summary>
    Arm64,

    /// <summary><see cref="NoRange"/>.</summary>
    NoRange,
}

/// <summary>What a gather has recorded when it flushes.</summary>
/// <param name="Range">The pages.</param>
/// <param name="FreedTables">True if tables are freed.</param>
/// <param name="Exec"><c>tlb->vma_exec</c>.</param>
/// <param name="Huge"><c>tlb->vma_huge</c>.</param>
public readonly record struct GatherFlush(PageRange Range, bool FreedTables, bool Exec, bool Huge);

/// <summary>
/// What <c>tlb_flush</c> of an architecture does with the flags of areas that a gather noted. There are two TLBs, each with its own walk
/// cache: that of data, and that of instructions, which the machine has as its second CPU.
/// </summary>
public abstract class FlushPolicy(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>True if tlb_end_vma flushes nothing: areas are gathered until the end.</summary>
    public virtual bool MergesVmas => false;

    /// <summary>The data side.</summary>
    protected Cpu Data => Machine.Cpus[0];

    /// <summary>The instruction side.</summary>
    protected Cpu Instructions => Machine.Cpus[1];

    /// <summary><c>tlb_flush</c>.</summary>
    public abstract Proc TlbFlush(GatherFlush flush);

    /// <summary>Makes the policy.</summary>
    public static FlushPolicy Make(KernelModel kernel, FlushPolicyKind kind) => kind switch
    {
        FlushPolicyKind.IgnoresFlags => new IgnoresFlags(kernel),
        FlushPolicyKind.HugeOnly => new HugeOnly(kernel),
        FlushPolicyKind.ExecAddsInstructionTlb => new ExecAddsInstructionTlb(kernel),
        FlushPolicyKind.X86 => new X86Flush(kernel),
        FlushPolicyKind.Arm64 => new Arm64Flush(kernel),
        _ => new NoRange(kernel),
    };

    /// <summary>Invalidates a range on one side.</summary>
    [KernelName("flush_tlb_range")]
    protected static async Proc FlushSide(Cpu side, PageRange range, bool lastLevel)
    {
        for (int page = range.Start; page < range.End; page++)
        {
            await side.FlushTlbPage(page, lastLevel);
        }
    }
}

/// <summary>flush_tlb_range() flushes both TLBs, whatever the area is.</summary>
public sealed class IgnoresFlags(KernelModel kernel) : FlushPolicy(kernel)
{
    /// <inheritdoc/>
    public override async Proc TlbFlush(GatherFlush flush)
    {
        await FlushSide(Data, flush.Range, false);
        await FlushSide(Instructions, flush.Range, false);
    }
}

/// <summary>A huge area is flushed by an instruction for huge leaf entries, which leaves the walk caches alone.</summary>
public sealed class HugeOnly(KernelModel kernel) : FlushPolicy(kernel)
{
    /// <inheritdoc/>
    public override async Proc TlbFlush(GatherFlush flush)
    {
        await FlushSide(Data, flush.Range, flush.Huge);
        await FlushSide(Instructions, flush.Range, flush.Huge);
    }
}

/// <summary>The instruction TLB is flushed if the area is executable.</summary>
public sealed class ExecAddsInstructionTlb(KernelModel kernel) : FlushPolicy(kernel)
{
    /// <inheritdoc/>
    public override async Proc TlbFlush(GatherFlush flush)
    {
        await FlushSide(Data, flush.Range, false);
        if (flush.Exec)
        {
            await FlushSide(Instructions, flush.Range, false);
        }
    }
}

/// <summary>x86: areas are merged; INVLPG invalidates both TLBs and all walk caches of the address space.</summary>
public sealed class X86Flush(KernelModel kernel) : FlushPolicy(kernel)
{
    /// <inheritdoc/>
    public override bool MergesVmas => true;

    /// <inheritdoc/>
    public override async Proc TlbFlush(GatherFlush flush)
    {
        for (int page = flush.Range.Start; page < flush.Range.End; page++)
        {
            await Data.Invlpg(page);
            await Instructions.Invlpg(page);
        }
    }
}

/// <summary>arm64: the last level only, unless tables are freed. Its level hints change no outcome here.</summary>
public sealed class Arm64Flush(KernelModel kernel) : FlushPolicy(kernel)
{
    /// <inheritdoc/>
    public override async Proc TlbFlush(GatherFlush flush)
    {
        await FlushSide(Data, flush.Range, !flush.FreedTables);
        await FlushSide(Instructions, flush.Range, !flush.FreedTables);
    }
}

/// <summary>No flush of ranges: the address space as a whole.</summary>
public sealed class NoRange(KernelModel kernel) : FlushPolicy(kernel)
{
    /// <inheritdoc/>
    public override async Proc TlbFlush(GatherFlush flush)
    {
        await Data.FlushTlbLocal();
        await Instructions.FlushTlbLocal();
    }
}
