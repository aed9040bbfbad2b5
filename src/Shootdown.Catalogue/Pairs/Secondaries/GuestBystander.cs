using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A virtual machine. Either it has mapped the pages as the process has, or it begins and ends beside the operation. Where the operation ends
/// the process no vCPU runs any more, but whoever holds the virtual machine's file may close it.
/// </summary>
internal sealed class GuestBystander : SecondaryBystander
{
    private readonly Kvm _kvm;

    /// <summary>Makes it.</summary>
    public GuestBystander(Stage stage, PairCell cell, KernelParts parts)
    {
        NotifierRegistration registration = RegistrationOf(cell);
        _kvm = parts.Kvm(stage.Kernel, stage.Mm, registration);
        for (int page = 0; registration != NotifierRegistration.Unregistered && page < cell.Pages; page++)
        {
            _kvm.Mmu.BuildSpte(page, page, cell.Kind != PageKind.CopyOnWrite);
        }
    }

    /// <inheritdoc/>
    public override void AddPrograms(Stage stage, PairCell cell, Cpu cpu)
    {
        Kvm kvm = _kvm;
        int pages = cell.Pages;
        if (cell.Bystander == Bystander.Guest && !cell.EndsProcess)
        {
            bool loads = cell.Kind == PageKind.CopyOnWrite;
            AddThread(stage, cell, cpu, "vcpu", () => Use(kvm, cpu, pages, loads));
        }
        else if (cell.Bystander == Bystander.NewGuest)
        {
            bool exits = cell.EndsProcess;
            AddThread(stage, cell, cpu, exits ? "close" : "vcpu", () => exits ? Close(kvm, cpu) : OpenAndClose(kvm, cpu, pages));
        }
    }

    /// <summary>
    /// The guest stores, or leaves its memory alone: then what it has mapped must go by itself. Where a load finds another page than a store, it may
    /// load too.
    /// </summary>
    private static async Proc Use(Kvm kvm, Cpu cpu, int pages, bool loads)
    {
        int use = await cpu.Choose(loads ? 3 : 2, loads ? "whether the guest stores or loads" : "whether the guest stores");
        for (int page = 0; use == 2 && page < pages; page++)
        {
            await kvm.GuestLoad(cpu, page);
        }

        if (use != 1)
        {
            return;
        }

        for (int page = 0; page < pages; page++)
        {
            await kvm.GuestStore(cpu, page, 1);
        }
    }

    private static async Proc OpenAndClose(Kvm kvm, Cpu cpu, int pages)
    {
        await kvm.Open(cpu);
        for (int page = 0; page < pages; page++)
        {
            await kvm.GuestStore(cpu, page, 1);
        }

        await kvm.Close(cpu);
    }

    private static async Proc Close(Kvm kvm, Cpu cpu) => await kvm.Close(cpu);
}
