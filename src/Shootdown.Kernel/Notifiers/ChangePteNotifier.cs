using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The notifiers of 2.6.32 to 6.9 (mm/mmu_notifier.c): who replaces a page under an address tells secondary MMUs which entry comes, so
/// that they need not fault it in (<c>change_pte</c>, 828502d30073). Only KVM had the callback. Goes with <see cref="ChangePteOps"/>.
/// </summary>
/// <param name="kernel">The kernel.</param>
/// <param name="fallsBack">
/// True to 3.6: who has no <c>change_pte</c> gets <c>invalidate_page</c> instead. Since 3.7 start and end surround the callers, and
/// have told him.
/// </param>
public class ChangePteNotifier(KernelModel kernel, bool fallsBack) : MmuNotifier(kernel)
{
    private readonly bool _fallsBack = fallsBack;

    /// <summary>mm/mmu_notifier.c: <c>__mmu_notifier_change_pte</c>, under the table's lock.</summary>
    [KernelName("mmu_notifier_change_pte")]
    public virtual async Proc ChangePte(Cpu cpu, Mm mm, int page, Pte value)
    {
        ArgumentNullException.ThrowIfNull(mm);
        int section = await ReadLock(cpu, mm);
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            if (!await IsListed(cpu, mm, i))
            {
                continue;
            }

            if (mm.Subscriptions[i].HasChangePte)
            {
                await mm.Subscriptions[i].ChangePte(cpu, page, value);
            }
            else if (_fallsBack)
            {
                await mm.Subscriptions[i].InvalidatePage(cpu, page);
            }
        }

        await ReadUnlock(cpu, mm, section);
    }
}

/// <summary>Entries of 2.6.32 to 6.9, for a kernel with <see cref="ChangePteNotifier"/>.</summary>
public class ChangePteOps(KernelModel kernel) : PteOps(kernel)
{
    /// <summary>
    /// include/linux/mmu_notifier.h: <c>set_pte_at_notify</c>. The entry is none and flushed; secondary MMUs are told before the new one is
    /// set: else a CPU could store to the new page while they still read the old one.
    /// </summary>
    [KernelName("set_pte_at_notify")]
    public override async Proc SetPteAtNotify(Cpu cpu, Mm mm, PageTable table, int page, Pte value)
    {
        await ChangePte(cpu, mm, page, value);
        await SetPteAt(cpu, table, page, value);
    }

    /// <summary>include/linux/mmu_notifier.h: <c>mmu_notifier_change_pte</c>.</summary>
    /// <exception cref="InvalidOperationException">The kernel's notifiers have no <c>change_pte</c>.</exception>
    protected async Proc ChangePte(Cpu cpu, Mm mm, int page, Pte value)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (!mm.HasNotifiers)
        {
            return;
        }

        ChangePteNotifier notifier = Kernel.MmuNotifier as ChangePteNotifier
            ?? throw new InvalidOperationException("the kernel's notifiers have no change_pte: set KernelParts.MmuNotifier");
        await notifier.ChangePte(cpu, mm, page, value);
    }
}
