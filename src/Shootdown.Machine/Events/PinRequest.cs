namespace Shootdown.Machine;

/// <summary>
/// A call of <c>get_user_pages</c> or <c>pin_user_pages</c> and its kin for one page: what it asks for, and so what its caller may rely
/// on. Made when the machine is built, one for every call in a program.
/// </summary>
public sealed class PinRequest : MachineHandle
{
    /// <summary>Creates a request.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="cpu">The CPU that makes the call.</param>
    /// <param name="space">The address space.</param>
    /// <param name="page">The virtual page.</param>
    /// <param name="write">True if the caller is going to write.</param>
    /// <param name="force">True if it may write although the entry does not allow it (FOLL_FORCE).</param>
    /// <param name="staysMapped">
    /// True if the page must stay what the address maps until the pin is dropped: FOLL_PIN of anonymous memory.
    /// </param>
    /// <param name="function">The call, e.g. <c>pin_user_pages_fast()</c>.</param>
    public PinRequest(
        MachineModel machine, Cpu cpu, AddressSpace space, int page, bool write, bool force, bool staysMapped, string function)
        : base(machine)
    {
        Cpu = cpu;
        Space = space;
        Page = page;
        Write = write;
        Force = force;
        StaysMapped = staysMapped;
        Function = function;
        machine.AddPinRequest(this);
    }

    /// <summary>The CPU that makes the call.</summary>
    public Cpu Cpu { get; }

    /// <summary>The address space.</summary>
    public AddressSpace Space { get; }

    /// <summary>The virtual page.</summary>
    public int Page { get; }

    /// <summary>True if the caller is going to write.</summary>
    public bool Write { get; }

    /// <summary>True if it may write although the entry does not allow it.</summary>
    public bool Force { get; }

    /// <summary>True if the page must stay what the address maps until the pin is dropped.</summary>
    public bool StaysMapped { get; }

    /// <summary>The call, e.g. <c>pin_user_pages_fast()</c>.</summary>
    public string Function { get; }
}

/// <summary>A call of a lockless or slow <c>get_user_pages</c> begins, or returns with a frame (-1: none).</summary>
internal sealed class PinRequestOperation(PinRequest request, bool returns, int frame) : Operation
{
    public override string Text => !returns ? request.Function
        : frame < 0 ? $"{request.Function} returns no page" : $"{request.Function} returns frame {frame}";

    public override StepWeight Weight => returns ? StepWeight.Key : StepWeight.Detail;

    public override long Execute(MachineState state, int alternative)
    {
        foreach (MachineMonitor monitor in request.Machine.Monitors)
        {
            if (returns)
            {
                monitor.OnPinReturns(state, request, frame);
            }
            else
            {
                monitor.OnPinBegins(state, request);
            }
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        foreach (MachineMonitor monitor in request.Machine.Monitors)
        {
            monitor.AddPinFootprint(footprint, request);
        }
    }
}
