using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-uffd: contents that userfaultfd write-protected keep the mark, wherever they go, before somebody lifts the protection: without it a store to
/// them is not reported. No entry that has the mark is writable.
/// </summary>
/// <param name="judgesWhatIsLeft">True to judge, when a call that protects returns, that what it leaves has the mark: where nobody discards pages.</param>
public sealed class PUserfault(bool judgesWhatIsLeft = false) : ContentMarks(Pte.UserfaultWpBit, PromiseKind.StoresAllowed)
{
    /// <inheritdoc/>
    public override string Id => "P-uffd";

    /// <inheritdoc/>
    public override string JudgementText => "entries of contents that userfaultfd write-protected";

    /// <inheritdoc/>
    protected override string WordPrefix => "p_uffd";

    /// <inheritdoc/>
    protected override bool JudgesWhatIsLeft(Promise promise) => judgesWhatIsLeft && promise?.Kind == PromiseKind.StoresReported;

    /// <inheritdoc/>
    protected override void JudgeLeftEntry(MachineState state, AddressSpace space, int page, Pte value)
    {
        Judge(state);
        if (!value.UserfaultWp)
        {
            Report(state, $"The entry of {Paging.AddressText(page)} ({value}) has no uffd-wp mark when the protection of its range returns.");
        }
    }

    /// <summary>include/linux/page_table_check.h warns of the same.</summary>
    protected override void JudgeRights(MachineState state, AddressSpace space, int page, Pte value)
    {
        if (!value.UserfaultWp)
        {
            return;
        }

        Judge(state);
        if (value is { Present: true, Write: true })
        {
            Report(state, $"The entry of {Paging.AddressText(page)} ({value}) is writable though it has the uffd-wp mark: "
                + "stores will not be reported.");
        }
    }

    /// <inheritdoc/>
    protected override string LostText(AddressSpace space, int page, Pte value)
        => $"The entry of {Paging.AddressText(page)} ({value}) has no uffd-wp mark, though userfaultfd write-protected these contents "
            + $"in {space} and nobody lifted that: the next store will not be reported.";
}
