using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-soft: what a process has written is known as soft-dirty until <c>clear_refs</c> says otherwise: marked contents keep the mark wherever
/// they go, and no entry without the mark is writable, also none that clear_refs leaves: a store through it would not be noted
/// (Documentation/admin-guide/mm/soft-dirty.rst).
/// </summary>
/// <remarks>
/// For machines whose areas have been through clear_refs once (no <c>VM_SOFTDIRTY</c>): initial entries that are writable must have the mark. Pages of
/// files lose it where they are unmapped, as in Linux; of them only rights are judged.
/// </remarks>
/// <param name="pageCache">The words of the page cache, each frame + 1 or 0.</param>
public sealed class PSoftDirty(params IReadOnlyList<Word> pageCache) : ContentMarks(Pte.SoftDirtyBit, PromiseKind.WritesForgotten, pageCache)
{
    /// <inheritdoc/>
    public override string Id => "P-soft";

    /// <inheritdoc/>
    public override string JudgementText => "entries of pages whose stores must be noted";

    /// <inheritdoc/>
    protected override bool JudgesWhatIsLeft(Promise promise) => promise?.Kind == PromiseKind.WritesForgotten;

    /// <inheritdoc/>
    protected override string WordPrefix => "p_soft";

    /// <inheritdoc/>
    protected override void JudgeRights(MachineState state, AddressSpace space, int page, Pte value)
    {
        Judge(state);
        if (value is { Present: true, Write: true, SoftDirty: false })
        {
            Report(state, $"The entry of {Paging.AddressText(page)} ({value}) is writable without being soft-dirty: a store of {space} will not be noted.");
        }
    }

    /// <inheritdoc/>
    protected override string LostText(AddressSpace space, int page, Pte value)
        => $"The entry of {Paging.AddressText(page)} ({value}) is not soft-dirty, though {space} has written these contents "
            + "and clear_refs was not told to forget it.";
}
