using System.Collections.Immutable;

namespace Shootdown.Catalogue;

/// <summary>An area as the gather sees it: where it lies, and the two flags that architectures look at.</summary>
/// <param name="First">First page.</param>
/// <param name="Count">Number of pages.</param>
/// <param name="Exec"><c>VM_EXEC</c>.</param>
/// <param name="Huge"><c>VM_HUGETLB</c>: mapped by entries of the level above the leaf tables.</param>
public readonly record struct VmaKind(int First, int Count, bool Exec, bool Huge)
{
    /// <summary>The page behind the last one.</summary>
    public int End => First + Count;
}

/// <summary>What <c>free_pgtables</c> does about the areas whose tables it frees.</summary>
public enum VmaBrackets
{
    /// <summary>Nothing, as in every kernel that was released.</summary>
    None,

    /// <summary>The patch of seed 003: tlb_start_vma before the loop's body, tlb_end_vma behind it, with whatever the variable is then.</summary>
    Patch,

    /// <summary>The patch without the inner loop that gathers neighbouring areas: one call of free_pgd_range an area.</summary>
    PatchWithoutGathering,

    /// <summary>The flags of all areas whose tables are freed in one call, or-ed. Nobody proposed it.</summary>
    Union,
}

/// <summary>What is asserted about tlb_start_vma and tlb_end_vma.</summary>
public enum PairRule
{
    /// <summary>Nothing: only what survives is judged.</summary>
    None,

    /// <summary>An end gets the area of its start, and pages are queued between the two.</summary>
    Pages,

    /// <summary>Tables are queued between the two as well.</summary>
    Tables,
}

/// <summary>What is run.</summary>
/// <param name="Vmas">The areas, in order; all are unmapped.</param>
/// <param name="PagesOfTable">Pages that one table maps; more if the areas need more tables.</param>
/// <param name="Policy">The architecture.</param>
/// <param name="WalkCaches">True if upper entries are cached, on the instruction side too.</param>
/// <param name="Brackets">What free_pgtables does.</param>
/// <param name="Judges">What is asserted about starts and ends.</param>
public sealed record GatherFlagsCase(
    ImmutableArray<VmaKind> Vmas, int PagesOfTable, FlushPolicyKind Policy, bool WalkCaches, VmaBrackets Brackets, PairRule Judges)
{
    /// <summary>Unique text of the case: a title.</summary>
    public string Key => $"munmap of {string.Join(" and ", Vmas.Select(TextOf))}, {PagesOfTable} pages a table, {PolicyText}, "
        + $"{(WalkCaches ? "walk caches" : "no walk caches")}, {BracketsText}{JudgesText}";

    /// <summary>The architecture in words.</summary>
    public string PolicyText => Policy switch
    {
        FlushPolicyKind.IgnoresFlags => "flushes ignore flags",
        FlushPolicyKind.HugeOnly => "huge areas flush huge entries only",
        FlushPolicyKind.ExecAddsInstructionTlb => "executable areas flush the instruction TLB too",
        FlushPolicyKind.X86 => "flushes of x86",
        FlushPolicyKind.Arm64 => "flushes of arm64",
        _ => "flushes without a range",
    };

    private string BracketsText => Brackets switch
    {
        VmaBrackets.None => "no start and end",
        VmaBrackets.Patch => "the patch",
        VmaBrackets.PatchWithoutGathering => "the patch without the inner loop",
        _ => "flags of all areas",
    };

    private string JudgesText => Judges switch
    {
        PairRule.None => string.Empty,
        PairRule.Tables => ", pages and tables between start and end",
        _ => ", start and end of one area",
    };

    private static string TextOf(VmaKind vma)
        => $"{(vma.Exec ? "executable " : string.Empty)}{(vma.Huge ? "hugetlb " : string.Empty)}{(vma.Count == 1 ? "page" : "pages")} "
            + (vma.Count == 1 ? $"{vma.First}" : $"{vma.First} to {vma.End - 1}");
}
