#:project ../src/Shootdown.Cli/Shootdown.Cli.csproj
#:property PublishAot=false
#:property Optimize=true

using Shootdown.Catalogue;
using Shootdown.Cli;
using Shootdown.Kernel;
using Shootdown.Machine;

return ShootdownApp.Check(new MyDriverScenario(), args);

/// <summary>A driver's invalidate callback, checked against operations of the kernel.</summary>
sealed class MyDriverScenario : SvaDriverScenario
{
    public override string Id => "my-driver";

    public override string Title => "a driver takes the end of a range for its last page";

    protected override IommuSva Subscribe(Stage stage, bool isBug) => isBug
        ? new MyDriverV1(stage.Kernel, stage.Mm, stage.Machine.Devices[0])
        : new MyDriver(stage.Kernel, stage.Mm, stage.Machine.Devices[0]);
}

/// <summary>Your driver. The device has a TLB of its own (ATS), so there are two to invalidate, in this order.</summary>
class MyDriver(KernelModel kernel, Mm mm, Device device) : IommuSva(kernel, mm, device, ats: true)
{
    // Paste your callback here. Each command is a step, and so is each wait.
    public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
    {
        int first = range.IsAll ? 0 : range.Start;
        int count = range.IsAll ? Machine.Paging.PageCount : PagesOf(range);
        await Device.Queue.Submit(cpu, InvalidationCommand.Of(InvalidationKind.Iotlb, first, count));
        await Device.Queue.Await(cpu);
        await Device.Queue.Submit(cpu, InvalidationCommand.Of(InvalidationKind.DeviceTlb, first, count));
        await Device.Queue.Await(cpu);
    }

    protected virtual int PagesOf(PageRange range) => range.End - range.Start;
}

/// <summary>Its first version: range.End is the page behind the last one, as in the kernel; this takes it for the last.</summary>
sealed class MyDriverV1(KernelModel kernel, Mm mm, Device device) : MyDriver(kernel, mm, device)
{
    protected override int PagesOf(PageRange range) => range.End - 1 - range.Start;
}
