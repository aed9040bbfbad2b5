namespace Shootdown.Machine;

/// <content>Sets of CPUs in memory. On a checked machine each is one word, and using it is one step.</content>
public sealed partial class Cpu
{
    /// <summary>Reads a mask; word by word if there are several.</summary>
    public Op<CpuSet> Load(CpuMask mask, StepWeight weight = StepWeight.Detail)
        => _timed is { } timed ? Op<CpuSet>.DoneWithValue(timed.Load(this, mask))
            : new(new MemoryOperation(this, mask.First, MemoryAction.Load, 0, 0, MemoryOrder.Relaxed, weight));

    /// <summary>Overwrites a mask with plain stores.</summary>
    public Op Store(CpuMask mask, CpuSet value, StepWeight weight = StepWeight.Detail)
        => _timed is { } timed ? timed.Store(this, mask, value)
            : new(new MemoryOperation(this, mask.First, MemoryAction.Store, value.Mask, 0, MemoryOrder.Relaxed, weight));

    /// <summary>
    /// Adds CPUs with locked instructions, one for each word that holds any of them (<c>cpumask_set_cpu</c>); returns the old mask.
    /// </summary>
    public Op<CpuSet> FetchOr(CpuMask mask, CpuSet cpus, StepWeight weight = StepWeight.Context)
        => _timed is { } timed ? Op<CpuSet>.DoneWithValue(timed.Modify(this, mask, cpus, MemoryAction.FetchOr))
            : new(new MemoryOperation(this, mask.First, MemoryAction.FetchOr, cpus.Mask, 0, MemoryOrder.Full, weight));

    /// <summary>
    /// Takes CPUs out with locked instructions, one for each word that holds any of them (<c>cpumask_clear_cpu</c>); returns the old
    /// mask.
    /// </summary>
    public Op<CpuSet> FetchAndNot(CpuMask mask, CpuSet cpus, StepWeight weight = StepWeight.Context)
        => _timed is { } timed ? Op<CpuSet>.DoneWithValue(timed.Modify(this, mask, cpus, MemoryAction.FetchAnd))
            : new(new MemoryOperation(this, mask.First, MemoryAction.FetchAnd, ~cpus.Mask, 0, MemoryOrder.Full, weight));

    /// <summary>Exchanges a mask, word by word; returns the old one.</summary>
    public Op<CpuSet> Exchange(CpuMask mask, CpuSet value, StepWeight weight = StepWeight.Context)
        => _timed is { } timed ? Op<CpuSet>.DoneWithValue(timed.Modify(this, mask, value, MemoryAction.Exchange))
            : new(new MemoryOperation(this, mask.First, MemoryAction.Exchange, value.Mask, 0, MemoryOrder.Full, weight));
}
