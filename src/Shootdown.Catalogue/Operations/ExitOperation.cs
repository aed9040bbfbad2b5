using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>The last thread of the process exits: all of its memory and its page tables go, while a device may still use them.</summary>
public sealed class ExitOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "exit";

    /// <inheritdoc/>
    public override string Role => "exit";

    /// <inheritdoc/>
    public override bool EndsProcess => true;

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <summary>Alone: nothing runs in a process that ends.</summary>
    public override bool Joins(PairCell cell) => cell is { Operations.Count: 1 };

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind is PageKind.Anonymous or PageKind.File or PageKind.HugeFile;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Kernel.ExitMmap.ExitMm(call.Cpu, call.Mm);
    }
}
