using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// Since 6.14 (209954cbc7d0) a CPU stays in <c>mm_cpumask</c> when it switches to another address space: it is taken out when it is
/// interrupted for nothing.
/// </summary>
internal sealed class Linux618SwitchMm(KernelModel kernel) : SwitchMm(kernel)
{
    /// <inheritdoc/>
    protected override async Proc NoTarget(Cpu cpu, Mm old)
    {
    }
}

/// <summary>
/// Flushes since 6.14 (arch/x86/mm/tlb.c): CPUs that stand in the mask but run something else are spared, but for one flush a
/// second, which takes them out of the mask.
/// </summary>
internal sealed class Linux618TlbFlush : TlbFlush
{
    private const long TrimNs = 1_000_000_000;
    private readonly Dictionary<int, long> _nextTrimNs = [];
    private readonly bool[] _trims;

    internal Linux618TlbFlush(KernelModel kernel)
        : base(kernel)
        => _trims = new bool[Machine.Cpus.Count];

    /// <inheritdoc/>
    public override async Proc FlushTlbMulti(Cpu cpu, CpuSet mask, FlushTlbInfo info)
    {
        _trims[cpu.Index] = info.MmIndex is { } index && ShouldTrimCpumask(cpu, index);
        await base.FlushTlbMulti(cpu, mask, info);
    }

    /// <summary>arch/x86/mm/tlb.c: <c>should_flush_tlb</c> of 6.14.</summary>
    public override async Proc<bool> ShouldFlushTlb(Cpu cpu, Cpu target, FlushTlbInfo info)
    {
        CpuTlbState state = Kernel.TlbStates[target.Index];
        ulong loaded = await cpu.Load(state.LoadedMm);
        if (await cpu.Load(state.IsLazy) != 0)
        {
            return false;
        }

        return info.MmIndex is not { } index || loaded == KernelModel.LoadedMmSwitching || loaded == Kernel.Mms[index].LoadedValue
            || _trims[cpu.Index];
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>flush_tlb_func</c> of 6.14. A lazy CPU that is interrupted leaves the mask too: so does the build that was
    /// recorded, where a second flush right behind never asks it again; the mainline source leaves it there until then.
    /// </summary>
    public override async Proc FlushTlbFunc(Cpu cpu, FlushTlbInfo info, bool local)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        if (!local && info.MmIndex is { } index
            && await cpu.Load(state.LoadedMm) != Kernel.Mms[index].LoadedValue)
        {
            await cpu.FetchAndNot(Kernel.Mms[index].CpuMask, CpuSet.Of(cpu));
            Machine.Timed!.TraceTlbFlush(cpu, TlbFlushReason.RemoteWrongCpu, 0);
            return;
        }

        if (info.MmIndex is { } lazy && await cpu.Load(state.IsLazy) != 0)
        {
            await cpu.FetchAndNot(Kernel.Mms[lazy].CpuMask, CpuSet.Of(cpu));
        }

        await base.FlushTlbFunc(cpu, info, local);
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>should_trim_cpumask</c>. The first second is counted from an address space's first flush of others, not from
    /// its making.
    /// </summary>
    private bool ShouldTrimCpumask(Cpu cpu, int mm)
    {
        long now = Machine.Timed!.NowOf(cpu);
        if (_nextTrimNs.TryGetValue(mm, out long next) && now <= next)
        {
            return false;
        }

        bool isFirst = !_nextTrimNs.ContainsKey(mm);
        _nextTrimNs[mm] = now + TrimNs;
        return !isFirst;
    }
}
