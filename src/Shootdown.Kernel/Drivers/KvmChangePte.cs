using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>What KVM makes of <c>change_pte</c>.</summary>
public enum ChangePteForm
{
    /// <summary>2.6.32 to 5.12: it changes the spte, and counts the change in <c>mmu_notifier_seq</c>, so that faults under way try again.</summary>
    Counted,

    /// <summary>
    /// 5.13 to 6.9 (c13fda237f08): it changes the spte and counts nothing, because an invalidation must be in progress around it.
    /// </summary>
    InRange,

    /// <summary>arm64, to 6.9: in range, and it maps the page also where nothing is mapped.</summary>
    Maps,
}

/// <summary>KVM with <c>change_pte</c> (virt/kvm/kvm_main.c, 2.6.32 to 6.9).</summary>
/// <param name="kernel">A kernel with <see cref="ChangePteNotifier"/>.</param>
/// <param name="mm">The process whose memory the guest has.</param>
/// <param name="form">What the callback does.</param>
/// <param name="vcpus">Number of vCPUs.</param>
/// <param name="registration">Whether it is registered all the time; if not, a program closes it.</param>
public class KvmChangePte(
    KernelModel kernel, Mm mm, ChangePteForm form, int vcpus = 1, NotifierRegistration registration = NotifierRegistration.Always)
    : Kvm(kernel, mm, vcpus, registration, registration != NotifierRegistration.Always)
{
    private readonly ChangePteForm _form = form;

    /// <inheritdoc/>
    public override bool HasChangePte => true;

    /// <summary>virt/kvm/kvm_main.c: <c>kvm_mmu_notifier_change_pte</c>.</summary>
    [KernelName("kvm_mmu_notifier_change_pte")]
    public override async Proc ChangePte(Cpu cpu, int page, Pte value)
    {
        await cpu.SpinLock(MmuLock);
        if (_form == ChangePteForm.Counted)
        {
            await cpu.Store(InvalidateSeq, await cpu.Load(InvalidateSeq) + 1, weight: StepWeight.Key);
        }

        await KvmSetSpteGfn(cpu, page, value);
        await cpu.SpinUnlock(MmuLock);
    }

    /// <summary>
    /// arch/x86/kvm/mmu/tdp_mmu.c: <c>set_spte_gfn</c>; arch/arm64/kvm/mmu.c: <c>kvm_set_spte_gfn</c>. The spte becomes read-only: whoever
    /// wants to write must fault, and dirty the page. On x86 a page that may be written is only removed, and a page that is not mapped
    /// stays so.
    /// </summary>
    [KernelName("kvm_set_spte_gfn")]
    protected virtual async Proc KvmSetSpteGfn(Cpu cpu, int page, Pte value)
    {
        Pte old = await Mmu.SpteRead(cpu, page, new CallbackRange(page, 1, false));
        if (old.IsNone && _form != ChangePteForm.Maps)
        {
            return;
        }

        if (!old.IsNone)
        {
            // Flushed before another page may come (arm64: break before make); x86 flushes once, behind both.
            await Mmu.SpteExchange(cpu, page, Pte.None, "zap_spte");
            await Mmu.FlushTlbs(cpu);
        }

        if (_form == ChangePteForm.Maps || !value.Write)
        {
            await Mmu.SpteExchange(cpu, page, Pte.Leaf(value.Frame, write: false), "set_spte");
        }
    }
}
