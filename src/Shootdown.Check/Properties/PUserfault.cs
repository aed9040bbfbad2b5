using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-uffd: contents that userfaultfd write-protected keep the mark, wherever they go, before somebody lifts the protection: without it a store to
/// them is not reported. No entry that has the mark is writable.
/// </summary>
public sealed class PUserfault() : ContentMarks(Pte.UserfaultWpBit, PromiseKind.StoresAllowed)
{
    /// <inheritdoc/>
    public override string Id => "P-uffd";

    /// <inheritdoc/>
    public override string JudgementText => "entries of contents that userfaultfd write-protected";

    /// <inheritdoc/>
    protected override string WordPrefix => "p_uffd";

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
