using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// Since 6.14 a CPU stays in mm_cpumask when it switches to another address space (arch/x86/mm/tlb.c, <c>switch_mm_irqs_off</c>): it
/// leaves when it is interrupted for nothing.
/// </summary>
internal sealed class Linux618SwitchMm(KernelModel kernel) : SwitchMm(kernel)
{
    /// <inheritdoc/>
    public override async Proc SwitchMmIrqsOff(Cpu cpu, Mm? next)
    {
        ulong previous = await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedMm);
        await base.SwitchMmIrqsOff(cpu, next);
        if (previous > KernelModel.LoadedMmSwitching && previous != next?.LoadedValue)
        {
            // The core takes it out. Nobody looks in between: a switch is one step on the timed machine.
            await cpu.FetchOr(Kernel.Mms[(int)(previous - KernelModel.LoadedMmSwitching - 1)].CpuMask, cpu.Bit);
        }
    }
}

/// <summary>
/// Flushes since 6.14 (arch/x86/mm/tlb.c): once a second a flush also interrupts CPUs of the mask that have switched away
/// (<c>should_trim_cpumask</c>, <c>should_flush_tlb</c>), and whoever is interrupted for an address space that it has not
/// loaded leaves the mask (<c>flush_tlb_func</c>, TLB_REMOTE_WRONG_CPU).
/// </summary>
internal sealed class Linux618TlbFlush(KernelModel kernel) : TlbFlush(kernel)
{
    /// <summary><c>next_trim_cpumask</c> is a second away.</summary>
    private const long TrimNs = 1_000_000_000;

    private readonly Dictionary<int, long> _trimmedNs = [];
    private bool _trims;

    /// <inheritdoc/>
    public override async Proc FlushTlbMulti(Cpu cpu, ulong mask, FlushTlbInfo info)
    {
        _trims = info.MmIndex is { } index && ShouldTrimCpumask(index, Machine.Timed!.NowOf(cpu));
        await base.FlushTlbMulti(cpu, mask, info);
        _trims = false;
    }

    /// <inheritdoc/>
    public override async Proc<bool> ShouldFlushTlb(Cpu cpu, Cpu target, FlushTlbInfo info)
        => await base.ShouldFlushTlb(cpu, target, info)
            || (_trims && await cpu.Load(Kernel.TlbStates[target.Index].IsLazy) == 0);

    /// <inheritdoc/>
    public override async Proc FlushTlbFunc(Cpu cpu, FlushTlbInfo info, bool local)
    {
        ulong loaded = await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedMm);
        if (!local && info.MmIndex is { } index && Kernel.Mms[index].LoadedValue != loaded)
        {
            await cpu.FetchAnd(Kernel.Mms[index].CpuMask, ~cpu.Bit);
            return;
        }

        await base.FlushTlbFunc(cpu, info, local);
    }

    private bool ShouldTrimCpumask(int mm, long nowNs)
    {
        if (!_trimmedNs.TryGetValue(mm, out long before))
        {
            _trimmedNs.Add(mm, nowNs);
            return false;
        }

        bool trims = nowNs - before > TrimNs;
        _trimmedNs[mm] = trims ? nowNs : before;
        return trims;
    }
}
