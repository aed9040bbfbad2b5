using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What the kernel's words tell a reader of an entry about flushes that are owed; for <see cref="PAgree"/>.</summary>
public sealed class KernelFlushKnowledge : IFlushKnowledge
{
    private const int FlushedShift = 16;
    private readonly KernelModel _kernel;

    /// <summary>Knows the words of a kernel whose address spaces have all been made.</summary>
    public KernelFlushKnowledge(KernelModel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        _kernel = kernel;
        Words =
        [
            .. kernel.Mms.SelectMany(mm => new[] { mm.TlbFlushPending.Address, mm.TlbFlushBatched.Address }),
            .. kernel.TlbStates.SelectMany(cpu => new[] { cpu.IsLazy.Address, cpu.LoadedMm.Address }),
            .. kernel.Machine.Cpus.SelectMany(cpu => new[] { cpu.InterruptsOffAddress, cpu.InInterruptAddress }),
        ];
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Words { get; }

    /// <inheritdoc/>
    public bool IsFlushPending(MachineState state, AddressSpace space)
    {
        ArgumentNullException.ThrowIfNull(state);
        Mm mm = _kernel.Mms.First(candidate => candidate.Space == space);
        ulong batched = state.Read(mm.TlbFlushBatched.Address);
        ulong pendingMask = (1UL << _kernel.Options.BatchCounterBits) - 1;
        return state.Read(mm.TlbFlushPending.Address) != 0 || (batched & pendingMask) != batched >> FlushedShift;
    }

    /// <summary>
    /// Never of a device: it uses what it has.
    /// True in lazy mode, with interrupts off and in an interrupt handler: a switch, leaving lazy mode, or a flush is
    /// under way. If it ends and leaves an old translation behind, a reader who comes later finds that.
    /// </summary>
    public bool WillFlushFirst(MachineState state, Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(cpu);
        return cpu.Device is null && WillFlush(state, cpu);
    }

    private bool WillFlush(MachineState state, Cpu cpu)
        => state.Read(cpu.InterruptsOffAddress) != 0
            || state.Read(cpu.InInterruptAddress) != 0
            || state.Read(_kernel.TlbStates[cpu.Index].IsLazy.Address) != 0;

    /// <inheritdoc/>
    public bool IsSwitching(MachineState state, Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(cpu);
        return cpu.Device is null && state.Read(_kernel.TlbStates[cpu.Index].LoadedMm.Address) == KernelModel.LoadedMmSwitching;
    }
}
