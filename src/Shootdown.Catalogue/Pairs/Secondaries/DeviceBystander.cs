using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A device that shares the page tables (SVA). Either it is bound all the time and leaves what it cannot reach, or its driver binds it and turns
/// ATS on beside the operation, and answers its page requests.
/// </summary>
internal sealed class DeviceBystander(Stage stage, PairCell cell, KernelParts parts) : SecondaryBystander
{
    private readonly IommuSva _sva = parts.IommuSva(stage.Kernel, stage.Mm, stage.Machine.Devices[0], RegistrationOf(cell));

    /// <inheritdoc/>
    public override bool HasTable => false;

    /// <inheritdoc/>
    public override void AddPrograms(Stage stage, PairCell cell, Cpu cpu)
    {
        IommuSva sva = _sva;
        Device device = sva.Device;
        int pages = cell.Pages;
        if (cell.Bystander == Bystander.Device)
        {
            device.AddProgram(() => DeviceStage.StorePages(device, pages));
            return;
        }

        Word doorbell = stage.Machine.NewWord("doorbell");
        stage.Machine.AddAgent("iopf", AgentKind.Task, cpu, mayStop: true, () => Bind(sva, cpu, doorbell));
        device.AddProgram(() => StoreByRequests(device, doorbell, pages), cell.Operations.Any(one => one.MayLeaveOthersWaiting));
    }

    private static async Proc Bind(IommuSva sva, Cpu cpu, Word doorbell)
    {
        await sva.BindDevice(cpu);
        await cpu.Store(doorbell, 1);
        await sva.EnableAts(cpu);
        await sva.HandlePageRequests(cpu);
    }

    /// <summary>Stores to every page; what it cannot reach it asks for once.</summary>
    private static async Proc StoreByRequests(Device device, Word doorbell, int pages)
    {
        await device.AwaitDoorbell(doorbell);
        for (int page = 0; page < pages; page++)
        {
            if ((await device.AccessStore(page, 2)).Faulted)
            {
                await device.SendPageRequest(page, true);
                await device.AwaitPageResponse();
                await device.AccessStore(page, 2);
            }
        }
    }
}
