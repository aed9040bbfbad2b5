using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Lazy TLB mode: kernel threads run on whatever user page tables are loaded.</summary>
public class LazyTlb(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// arch/x86/mm/tlb.c: <c>enter_lazy_tlb</c>. The root stays loaded, the CPU stays in the mask, and its walker may
    /// go on filling entries. No fence: a flusher that misses the mark interrupts the CPU once too often, no more.
    /// </summary>
    public virtual async Proc EnterLazyTlb(Cpu cpu)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        if (await cpu.Load(state.LoadedMm) != KernelModel.InitMm)
        {
            await cpu.Store(state.IsLazy, 1, weight: StepWeight.Key);
        }
    }
}
