namespace Shootdown.Machine;

/// <summary>An access of a user thread (or of the kernel to user memory) through a translation.</summary>
/// <param name="Cpu">The CPU.</param>
/// <param name="Space">The address space it runs.</param>
/// <param name="Page">Virtual page number.</param>
/// <param name="Translation">The translation that was used.</param>
/// <param name="IsStale">True if the page tables no longer hold it.</param>
/// <param name="IsWrite">True for a store.</param>
public readonly record struct AccessEvent(Cpu Cpu, AddressSpace Space, int Page, Translation Translation, bool IsStale, bool IsWrite)
{
    /// <summary>Who accesses, for reports: the CPU if nothing else is said.</summary>
    public string Who { get => field ?? $"{Cpu}"; init; }

    /// <summary>What translated, if it is stale, for reports: a TLB entry if nothing else is said.</summary>
    public string Entry { get => field ?? "TLB entry"; init; }
}

/// <summary>
/// A property that watches what the machine does. It reports by setting <see cref="MachineState.Violation"/>, keeps what it must
/// remember in words of the machine, and names the words that it touches so that reduction stays sound.
/// </summary>
public abstract class MachineMonitor
{
    /// <summary>An access is made.</summary>
    public virtual void OnAccess(MachineState state, in AccessEvent access)
    {
    }

    /// <summary>An access faults: no translation allowed it.</summary>
    public virtual void OnFault(MachineState state, Cpu cpu, AddressSpace space, int page, bool write)
    {
    }

    /// <summary>A walker (possibly speculative) reads from a table that was freed.</summary>
    public virtual void OnWalkOfFreedTable(MachineState state, Cpu cpu, int page, int table)
    {
    }

    /// <summary>A walker reads page tables, freed or not: counts as an exercise of lifetime properties.</summary>
    public virtual void OnWalk(MachineState state, Cpu cpu)
    {
    }

    /// <summary>A frame is given back to the allocator.</summary>
    public virtual void OnFrameFreed(MachineState state, Cpu cpu, int frame)
    {
    }

    /// <summary>A page-table page is given back to the allocator.</summary>
    public virtual void OnTableFreed(MachineState state, Cpu cpu, int table)
    {
    }

    /// <summary>Kernel code reads an entry; locked says whether it holds the table's lock.</summary>
    public virtual void OnEntryRead(MachineState state, Cpu cpu, AddressSpace space, int page, Pte value, bool locked)
    {
    }

    /// <summary>A leaf entry changed in memory.</summary>
    public virtual void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
    }

    /// <summary>An operation that promises removal or downgrade begins.</summary>
    public virtual void OnPromiseBegins(MachineState state, Promise promise)
    {
    }

    /// <summary>An operation that promised removal or downgrade returns to its caller.</summary>
    public virtual void OnPromiseReturns(MachineState state, Promise promise)
    {
    }

    /// <summary>A frame's contents are written to its backing store.</summary>
    public virtual void OnFrameWritten(MachineState state, Cpu cpu, int frame)
    {
    }

    /// <summary>A frame's contents are copied to another frame.</summary>
    public virtual void OnFrameCopied(MachineState state, Cpu cpu, int from, int to)
    {
    }

    /// <summary>Two frames were found to have the same contents (KSM): as a copy, unless a property sees it otherwise.</summary>
    public virtual void OnFramesEqual(MachineState state, Cpu cpu, int from, int to) => OnFrameCopied(state, cpu, from, to);

    /// <summary>Words that <see cref="OnFrameCopied"/> and <see cref="OnFramesEqual"/> touch.</summary>
    public virtual void AddCopyFootprint(Footprint footprint, int from, int to)
    {
    }

    /// <summary>Reclaim gives a frame up after saving its contents.</summary>
    public virtual void OnFrameSaved(MachineState state, Cpu cpu, int frame)
    {
    }

    /// <summary>
    /// A CPU may sleep in a function; reason says why it must not, as the end of a sentence, and is null if it may. Must not
    /// touch words.
    /// </summary>
    public virtual void OnMightSleep(MachineState state, Cpu cpu, string function, string? reason)
    {
    }

    /// <summary>A CPU uses a per-CPU object; mayMove says that nothing keeps its task on the CPU. Must not touch words.</summary>
    public virtual void OnPerCpuUse(MachineState state, Cpu cpu, PerCpuObject used, bool mayMove)
    {
    }

    /// <summary>An invalidation command of a device takes effect. Must not write words.</summary>
    /// <param name="state">The state before.</param>
    /// <param name="device">The device.</param>
    /// <param name="command">The command.</param>
    /// <param name="dropsOld">True if something out of date may be cached that the command drops.</param>
    public virtual void OnDeviceInvalidated(MachineState state, Device device, InvalidationCommand command, bool dropsOld)
    {
    }

    /// <summary>A callback of a notifier has seen to all pages that it was called for. Must not write words.</summary>
    /// <param name="state">The state before the last of them changes.</param>
    /// <param name="mmu">The secondary MMU.</param>
    /// <param name="first">The first page.</param>
    /// <param name="count">The number of pages.</param>
    /// <param name="found">True if one of them was mapped.</param>
    public virtual void OnSecondaryCallback(MachineState state, SoftwareMmu mmu, int first, int count, bool found)
    {
    }

    /// <summary>A device reads or writes a frame.</summary>
    public virtual void OnDeviceAccess(MachineState state, in DeviceAccess access)
    {
    }

    /// <summary>A walk in software reads an entry without a lock.</summary>
    /// <param name="state">The state.</param>
    /// <param name="cpu">The CPU.</param>
    /// <param name="page">The page that it looks for.</param>
    /// <param name="table">The table.</param>
    /// <param name="fate">What became of the table since the walk found it, e.g. <c>was freed</c>; null if it is still the same.</param>
    public virtual void OnLocklessRead(MachineState state, Cpu cpu, int page, int table, string? fate)
    {
    }

    /// <summary>Kernel code takes the lock of a table that was freed, or reads or changes an entry of one.</summary>
    /// <param name="state">The state.</param>
    /// <param name="cpu">The CPU.</param>
    /// <param name="table">The table.</param>
    /// <param name="use">What it does, e.g. <c>takes the lock</c>.</param>
    public virtual void OnFreedTableUsed(MachineState state, Cpu cpu, int table, string use)
    {
    }

    /// <summary>A call that looks up pages for somebody to hold begins.</summary>
    public virtual void OnPinBegins(MachineState state, PinRequest request)
    {
    }

    /// <summary>It returns a frame, or none (-1).</summary>
    public virtual void OnPinReturns(MachineState state, PinRequest request, int frame)
    {
    }

    /// <summary>What it returned is let go.</summary>
    public virtual void OnPinEnds(MachineState state, PinRequest request)
    {
    }

    /// <summary>An entry above the leaves changed: other tables are reachable at these pages.</summary>
    public virtual void OnTableChanged(MachineState state, AddressSpace space, int page, int count)
    {
    }

    /// <summary>A user assertion is evaluated.</summary>
    public virtual void OnAssert(MachineState state, bool holds, string message)
    {
    }

    /// <summary>
    /// Every program has ended or waits for ever. Must not write words; no footprint is needed, because reduction keeps all
    /// final states.
    /// </summary>
    public virtual void OnFinal(MachineState state)
    {
    }

    /// <summary>Words that <see cref="OnAccess"/> and <see cref="OnFault"/> touch for an access to the page.</summary>
    public virtual void AddAccessFootprint(Footprint footprint, AddressSpace? space, int page)
    {
    }

    /// <summary>Words that <see cref="OnDeviceAccess"/> touches.</summary>
    public virtual void AddDeviceFootprint(Footprint footprint, int frame)
    {
    }

    /// <summary>Words that <see cref="OnPinBegins"/>, <see cref="OnPinReturns"/> and <see cref="OnPinEnds"/> touch.</summary>
    public virtual void AddPinFootprint(Footprint footprint, PinRequest request)
    {
    }

    /// <summary>Words that <see cref="OnEntryChanged"/> and <see cref="OnTableChanged"/> touch.</summary>
    public virtual void AddEntryChangedFootprint(Footprint footprint, int page)
    {
    }

    /// <summary>Words that <see cref="OnEntryRead"/> touches.</summary>
    public virtual void AddEntryReadFootprint(Footprint footprint, int page)
    {
    }

    /// <summary>Words that <see cref="OnPromiseBegins"/> and <see cref="OnPromiseReturns"/> touch.</summary>
    public virtual void AddPromiseFootprint(Footprint footprint, Promise promise)
    {
    }

    /// <summary>Words that <see cref="OnTableFreed"/> touches.</summary>
    public virtual void AddTableFootprint(Footprint footprint, int table)
    {
    }

    /// <summary>Words that <see cref="OnFrameFreed"/>, <see cref="OnFrameWritten"/> and <see cref="OnFrameSaved"/> touch.</summary>
    public virtual void AddFrameFootprint(Footprint footprint, int frame)
    {
    }
}
