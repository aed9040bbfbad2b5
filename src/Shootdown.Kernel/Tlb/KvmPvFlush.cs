using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Paravirtual flushes of a KVM guest (arch/x86/kernel/kvm.c) and what the host does for them (arch/x86/kvm/x86.c). A
/// virtual CPU that does not run cannot be interrupted; instead of waiting for it the guest leaves it a note in a byte
/// that host and guest share, and the host flushes before the virtual CPU runs again. Every CPU of the machine is a
/// virtual one.
/// </summary>
public class KvmPvFlush : TlbFlush
{
    /// <summary><c>KVM_VCPU_PREEMPTED</c>: the virtual CPU does not run.</summary>
    public const ulong VcpuPreempted = 1;

    /// <summary><c>KVM_VCPU_FLUSH_TLB</c>: flush before it runs again.</summary>
    public const ulong VcpuFlushTlb = 2;

    private readonly ImmutableArray<Word> _preempted;

    /// <summary>Makes the shared bytes.</summary>
    public KvmPvFlush(KernelModel kernel)
        : base(kernel)
        => _preempted = [.. Machine.Cpus.Select(cpu => Machine.NewWord($"steal_time[{cpu.Index}].preempted"))];

    /// <summary><c>kvm_steal_time.preempted</c> of a virtual CPU.</summary>
    protected Word Preempted(Cpu vcpu) => _preempted[vcpu.Index];

    /// <summary>
    /// Guest, arch/x86/kernel/kvm.c: <c>kvm_flush_tlb_multi</c>. Whoever is not running gets a note, by
    /// compare-exchange, because the host may let it run at any moment; the others get an IPI.
    /// </summary>
    public override async Proc FlushTlbMulti(Cpu cpu, CpuSet mask, FlushTlbInfo info)
    {
        CpuSet flushmask = mask;
        for (int other = mask.First; other >= 0; other = mask.After(other))
        {
            Cpu target = Machine.Cpus[other];
            if (target == cpu)
            {
                continue;
            }

            ulong state = await cpu.Load(Preempted(target), weight: StepWeight.Key);
            if ((state & VcpuPreempted) != 0 && await QueueFlush(cpu, target, state))
            {
                flushmask = flushmask.Without(target);
            }
        }

        await base.FlushTlbMulti(cpu, flushmask, info);
    }

    /// <summary>
    /// Host, arch/x86/kvm/x86.c: <c>kvm_arch_vcpu_put</c>: the virtual CPU's thread is switched out. Until the next
    /// entry its guest does not run and takes no interrupts.
    /// </summary>
    public virtual async Proc KvmArchVcpuPut(Cpu vcpu)
    {
        await vcpu.InterruptsOff();
        await KvmStealTimeSetPreempted(vcpu);
    }

    /// <summary>
    /// Host, arch/x86/kvm/x86.c: <c>kvm_steal_time_set_preempted</c>. A plain store, so only if the byte does not say
    /// so already: a thread may be switched out several times before it enters the guest, and what the guest has noted
    /// meanwhile must stay.
    /// </summary>
    public virtual async Proc KvmStealTimeSetPreempted(Cpu vcpu)
    {
        // The host's own copy (vcpu->arch.st.preempted): only this thread sets and clears the bit.
        if ((await vcpu.Load(Preempted(vcpu)) & VcpuPreempted) == 0)
        {
            await vcpu.Store(Preempted(vcpu), VcpuPreempted, weight: StepWeight.Key);
        }
    }

    /// <summary>
    /// Host, arch/x86/kvm/x86.c: <c>vcpu_enter_guest</c>, with <c>record_steal_time</c>: takes the byte and the note
    /// in one exchange, flushes if asked to, and lets the guest run.
    /// </summary>
    public virtual async Proc VcpuEnterGuest(Cpu vcpu)
    {
        ulong state = await vcpu.Exchange(Preempted(vcpu), 0, StepWeight.Key);
        if ((state & VcpuFlushTlb) != 0)
        {
            await vcpu.FlushTlbLocal();
        }

        await vcpu.InterruptsOn();
    }

    private async Proc<bool> QueueFlush(Cpu cpu, Cpu target, ulong state)
        => await cpu.CompareExchange(Preempted(target), state, state | VcpuFlushTlb, StepWeight.Key) == state;
}
