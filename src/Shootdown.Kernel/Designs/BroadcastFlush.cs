using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>What is wrong with broadcast flushing.</summary>
public enum BroadcastMistake
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Batched unmapping broadcasts as soon as there is a global ASID, and notes no CPUs, also during the transition (B23).</summary>
    BatchForgetsTransition,

    /// <summary>A flush during the transition broadcasts, and sends no IPI.</summary>
    NoIpiInTransition,

    /// <summary>The end of a batch does not wait for the broadcasts.</summary>
    BatchForgetsTlbsync,
}

/// <summary>AMD's INVLPGB: a process that runs on several CPUs gets one ASID for all of them, and flushes are broadcast.</summary>
/// <param name="mistake">What is wrong with it.</param>
public class BroadcastFlush(BroadcastMistake mistake) : FlushDesign
{
    /// <summary>As merged.</summary>
    public BroadcastFlush()
        : this(BroadcastMistake.None)
    {
    }

    /// <inheritdoc/>
    public override string Id => "broadcast";

    /// <inheritdoc/>
    public override string Title => "INVLPGB: one ASID on all CPUs, and flushes without IPIs";

    /// <inheritdoc/>
    public override int Year => 2025;

    /// <inheritdoc/>
    public override string Source => "arch/x86/mm/tlb.c since 6.15: broadcast_tlb_flush, finish_asid_transition, consider_global_asid";

    /// <inheritdoc/>
    public override bool IsSound => mistake == BroadcastMistake.None;

    /// <inheritdoc/>
    public override int ExtraAsids => 1;

    /// <inheritdoc/>
    public override int ExtraAsidsAtRealSize => 58;

    /// <inheritdoc/>
    public override string Story =>
        "A process whose flush had to interrupt others gets a global ASID (6.15 asks for more than three CPUs). From then on its "
        + "flushes are broadcast under that ASID and waited for with TLBSYNC. CPUs go over to it at their next switch, or in "
        + "the handler of an IPI; until all have, a flag says so, and flushes do both: broadcast and interrupt. "
        + "Batched unmapping broadcasts at once and waits at its end; during the transition it notes the CPUs as well. "
        + "The workloads are run with a process that has its global ASID, and all CPUs have gone over.";

    /// <summary>The first process has its global ASID, which every CPU that runs it uses.</summary>
    public override void Prepare(KernelModel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        Mm mm = kernel.Mms[0];
        foreach (Cpu cpu in kernel.Machine.Cpus.Where(cpu => kernel.IsRunningInitially(cpu, mm)))
        {
            ((InvlpgbFlush)kernel.TlbFlush).BuildGlobal(cpu, mm);
        }
    }

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with
        {
            TlbFlush = kernel => new InvlpgbFlush(kernel, mistake),
            SwitchMm = kernel => new InvlpgbSwitch(kernel),
            TlbBatch = kernel => new InvlpgbBatch(kernel, mistake),
        };
    }
}

/// <summary>The same from a process's first flush on.</summary>
public sealed class BroadcastTransition : BroadcastFlush
{
    /// <inheritdoc/>
    public override string Id => "broadcast-first";

    /// <inheritdoc/>
    public override string Title => "INVLPGB in a process that gets its global ASID at its first flush";

    /// <inheritdoc/>
    public override string Story =>
        "As broadcast, but the process of the workload has no global ASID yet: its first flush interrupts other CPUs and then gives it one. "
        + "Kernels do so for processes on more than three CPUs only; here it shows the transition.";

    /// <inheritdoc/>
    public override string? NotMeasured => "processes of broadcast begin so on machines of real size";

    /// <inheritdoc/>
    public override void Prepare(KernelModel kernel)
    {
    }
}
