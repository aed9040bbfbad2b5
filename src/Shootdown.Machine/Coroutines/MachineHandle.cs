namespace Shootdown.Machine;

/// <summary>
/// Base of the immutable names of machine state (a CPU, a word, a lock, an mm). Handles are numbered in order of
/// creation, so that the same scenario gives the same fingerprints in every process.
/// </summary>
[MachineHandle]
public abstract class MachineHandle
{
    /// <summary>Creates a handle; only while the machine is being built.</summary>
    protected MachineHandle(MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        Machine = machine;
        HandleId = machine.NextHandleId();
    }

    /// <summary>The machine that the handle belongs to.</summary>
    public MachineModel Machine { get; }

    /// <summary>Number of the handle, from 1, in order of creation.</summary>
    public int HandleId { get; }
}
