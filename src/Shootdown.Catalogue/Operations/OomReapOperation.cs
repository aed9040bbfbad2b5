using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>The OOM reaper takes pages of a process that is being killed, without sleeping in notifiers.</summary>
public sealed class OomReapOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "oom-reap";

    /// <inheritdoc/>
    public override string Role => "oom_reaper";

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool KeepsContents => false;

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <summary>Alone: on CPUs it does what madvise-dontneed does.</summary>
    public override bool Joins(PairCell cell) => cell is { Operations.Count: 1 };

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Kernel.OomKill.OomReapTaskMm(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
    }
}
