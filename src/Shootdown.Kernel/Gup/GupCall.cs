using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>What a lookup of a page asks for (<c>FOLL_*</c>).</summary>
[Flags]
public enum GupFlags
{
    /// <summary>A reference for reading (<c>FOLL_GET</c>).</summary>
    Get = 0,

    /// <summary><c>FOLL_WRITE</c>: the caller will write.</summary>
    Write = 1,

    /// <summary><c>FOLL_PIN</c>: the page is for a device, and must stay what the address maps.</summary>
    Pin = 2,

    /// <summary><c>FOLL_FORCE</c>: also where the area does not allow it (ptrace, /proc/PID/mem).</summary>
    Force = 4,

    /// <summary><c>FOLL_FAST_ONLY</c>: never takes a lock; fails instead.</summary>
    FastOnly = 8,
}

/// <summary>
/// One call of <c>get_user_pages_fast</c>, <c>pin_user_pages_fast</c> or their slow kin in a program; made while the machine is built.
/// </summary>
public sealed class GupCall : MachineHandle
{
    /// <summary>Creates the call.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="page">The virtual page.</param>
    /// <param name="flags">What is asked for.</param>
    /// <param name="function">What reports call it; null for the name of the fast way, or with FOLL_FORCE that of the slow one.</param>
    public GupCall(Cpu cpu, Mm mm, int page, GupFlags flags, string? function = null)
        : base(Owner(cpu))
    {
        ArgumentNullException.ThrowIfNull(mm);
        Cpu = cpu;
        Mm = mm;
        Page = page;
        Flags = flags;
        Request = new PinRequest(
            Machine, cpu, mm.Space, page, Writes, (flags & GupFlags.Force) != 0, Pins && mm.FileAreaOf(page) is null,
            function ?? (Pins ? "pin_user_pages_fast()" : (flags & GupFlags.Force) != 0 ? "get_user_pages()" : "get_user_pages_fast()"));
    }

    /// <summary>The CPU.</summary>
    public Cpu Cpu { get; }

    /// <summary>The address space.</summary>
    public Mm Mm { get; }

    /// <summary>The virtual page.</summary>
    public int Page { get; }

    /// <summary>What is asked for.</summary>
    public GupFlags Flags { get; }

    /// <summary>The call as properties see it.</summary>
    public PinRequest Request { get; }

    /// <summary>True for FOLL_WRITE.</summary>
    public bool Writes => (Flags & GupFlags.Write) != 0;

    /// <summary>True for FOLL_PIN.</summary>
    public bool Pins => (Flags & GupFlags.Pin) != 0;

    /// <summary>True for FOLL_FORCE.</summary>
    public bool Forces => (Flags & GupFlags.Force) != 0;

    private static MachineModel Owner(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return cpu.Machine;
    }
}
