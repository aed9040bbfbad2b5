using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What has the process's memory besides its CPUs, in machines that have such a thing. Made before the first program, then started.</summary>
internal abstract class SecondaryBystander
{
    /// <summary>Makes that of a cell; null if it has none.</summary>
    public static SecondaryBystander? Of(Stage stage, PairCell cell, PairSetup setup) => cell.Bystander switch
    {
        Bystander.Guest or Bystander.NewGuest => new GuestBystander(stage, cell, setup.Parts),
        Bystander.Mirror or Bystander.NewMirror => new MirrorBystander(stage, cell, setup.Parts),
        Bystander.Device or Bystander.NewDevice => new DeviceBystander(stage, cell, setup.Parts),
        _ => null,
    };

    /// <summary>True if it has a page table of its own, which may map nothing at the end that the process's do not.</summary>
    public virtual bool HasTable => true;

    /// <summary>
    /// How its driver is subscribed: all the time, or programs change that. The end of the process takes everybody off the list, and nobody is told
    /// any more.
    /// </summary>
    protected static NotifierRegistration RegistrationOf(PairCell cell)
        => cell.EndsProcess ? NotifierRegistration.Registered
            : cell.Bystander is Bystander.NewGuest or Bystander.NewMirror or Bystander.NewDevice ? NotifierRegistration.Unregistered
            : NotifierRegistration.Always;

    /// <summary>Starts its programs.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="cell">The cell.</param>
    /// <param name="cpu">The CPU that runs none of the operations; not for <see cref="Bystander.Device"/>, which has none.</param>
    public abstract void AddPrograms(Stage stage, PairCell cell, Cpu cpu);

    /// <summary>Starts a thread of the process, which handles faults.</summary>
    protected static void AddThread(Stage stage, PairCell cell, Cpu cpu, string role, Func<Proc> program)
    {
        stage.Kernel.BuildRunning(cpu, stage.Mm);
        stage.Machine.AddAgent(role, AgentKind.Task, cpu, cell.Operations.Any(one => one.MayLeaveOthersWaiting), program);
    }
}
