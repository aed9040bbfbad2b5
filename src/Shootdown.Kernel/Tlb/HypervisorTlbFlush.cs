using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Remote flushes of a guest by hypercall (arch/x86/hyperv/mmu.c): the hypervisor invalidates the TLBs of the virtual CPUs, whether they run
/// or not, and interrupts nobody. What it leaves out, for those who counted on it: it does not wait for code that runs with
/// interrupts off. Broadcast invalidations of other architectures (arm64 TLBI, powerpc radix) do not either.
/// </summary>
/// <remarks>The whole TLB is dropped, which is always allowed; generations are as on bare metal.</remarks>
public class HypervisorTlbFlush(KernelModel kernel) : TlbFlush(kernel)
{
    /// <summary>arch/x86/hyperv/mmu.c: <c>hyperv_flush_tlb_multi</c>.</summary>
    public override async Proc FlushTlbMulti(Cpu cpu, CpuSet mask, FlushTlbInfo info)
        => await cpu.TlbiAll("[ hypercall: TLBs of all CPUs flushed ]");
}
