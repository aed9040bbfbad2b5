namespace Shootdown.Machine;

/// <summary>What an operation promises about its range: about older translations when it returns, or about contents and rights.</summary>
public enum PromiseKind
{
    /// <summary>No older translation of the range is usable.</summary>
    Removed,

    /// <summary>No older translation of the range allows a store.</summary>
    WriteProtected,

    /// <summary>Contents may get lost until it returns, but no store behind that (<c>MADV_FREE</c>). Translations stay.</summary>
    ContentsGivenUp,

    /// <summary>Stores may go through again from the beginning of the call on (a write protection is lifted). Translations stay.</summary>
    StoresAllowed,

    /// <summary>As <see cref="WriteProtected"/>; and that pages were written before counts no longer (<c>clear_refs</c>).</summary>
    WritesForgotten,

    /// <summary>As <see cref="WriteProtected"/>; and that stores are reported until they are allowed (<c>UFFDIO_WRITEPROTECT</c>).</summary>
    StoresReported,
}

/// <summary>What the kinds of promises have in common.</summary>
public static class PromiseKinds
{
    /// <summary>True if the promise is about older translations.</summary>
    public static bool RulesOutTranslations(this PromiseKind kind) => kind is PromiseKind.Removed || kind.TakesRightToWrite();

    /// <summary>True if no older translation allows a store when the call returns.</summary>
    public static bool TakesRightToWrite(this PromiseKind kind) => kind is PromiseKind.WriteProtected or PromiseKind.WritesForgotten or PromiseKind.StoresReported;
}

/// <summary>
/// A system call's promise about a range, e.g. that after <c>madvise(MADV_DONTNEED)</c> returned nobody reaches the old pages.
/// Made when the machine is built, one for every call in a program.
/// </summary>
public sealed class Promise : MachineHandle
{
    /// <summary>Creates a promise.</summary>
    public Promise(MachineModel machine, Cpu cpu, AddressSpace space, int firstPage, int pageCount, PromiseKind kind, string function)
        : base(machine)
    {
        Cpu = cpu;
        Space = space;
        FirstPage = firstPage;
        PageCount = pageCount;
        Kind = kind;
        Function = function;
        machine.AddPromise(this);
    }

    /// <summary>The CPU that makes the call.</summary>
    public Cpu Cpu { get; }

    /// <summary>The address space.</summary>
    public AddressSpace Space { get; }

    /// <summary>First virtual page.</summary>
    public int FirstPage { get; }

    /// <summary>Number of pages.</summary>
    public int PageCount { get; }

    /// <summary>What is promised.</summary>
    public PromiseKind Kind { get; }

    /// <summary>The call, e.g. <c>madvise()</c>.</summary>
    public string Function { get; }
}

internal sealed class PromiseOperation(Promise promise, bool returns) : Operation
{
    public override string Text => returns ? $"{promise.Function} returns" : $"{promise.Function}";

    public override StepWeight Weight => returns ? StepWeight.Key : StepWeight.Detail;

    public override long Execute(MachineState state, int alternative)
    {
        foreach (MachineMonitor monitor in promise.Machine.Monitors)
        {
            if (returns)
            {
                monitor.OnPromiseReturns(state, promise);
            }
            else
            {
                monitor.OnPromiseBegins(state, promise);
            }
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        foreach (MachineMonitor monitor in promise.Machine.Monitors)
        {
            monitor.AddPromiseFootprint(footprint, promise);
        }
    }
}

internal sealed class AssertOperation(Cpu cpu, bool holds, string message) : Operation
{
    public override string Text => $"VM_BUG_ON(!({message}))";

    public override StepWeight Weight => holds ? StepWeight.Detail : StepWeight.Key;

    public override long Execute(MachineState state, int alternative)
    {
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.OnAssert(state, holds, message);
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
    }
}
