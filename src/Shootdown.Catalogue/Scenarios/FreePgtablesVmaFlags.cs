using System.Collections.Immutable;
using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>B37: free_pgtables bracketed with tlb_start_vma and tlb_end_vma, which then get different areas.</summary>
public sealed class FreePgtablesVmaFlags : Scenario
{
    /// <inheritdoc/>
    public override string Id => "free-pgtables-vma-flags";

    /// <inheritdoc/>
    public override string Number => "B37";

    /// <inheritdoc/>
    public override string Title => "free_pgtables starts the gather of one area and ends that of another";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override string Seed => "003";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gather", "page-tables", "munmap", "seed"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("vmas", 2, 2, 4, "neighbouring areas of one page whose tables are freed together; the first is executable"),
        new("policy", 3, 0, 5, "flush: 0 no flags, 1 huge only, 2 exec adds the I-TLB (no walk caches), 3 x86, 4 arm64, 5 whole mm"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Some architectures choose how to flush by what tlb_start_vma() noted of the area: is it executable, is
        it huge? munmap() flushes once more after free_pgtables(), which has no tlb_start_vma() of its own, so
        that flush is made with the flags of whatever area was unmapped last.

        The patch under discussion brackets the body of the loop in free_pgtables() with tlb_start_vma() and
        tlb_end_vma(). Hugh Dickins refused it: for areas that are not hugetlb an inner loop moves on over the
        neighbours, so that their tables are freed in one call. What tlb_end_vma() gets is not the area of
        tlb_start_vma(), and one table may hold entries of all kinds of areas, so no area's flags are right.

        The bug here is the kernel with the patch. The fix is the kernel as it is; it must also free no table
        that a walker still reaches. The table for every architecture is the item S003-03.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "munmap: both areas are zapped, each between its tlb_start_vma and tlb_end_vma.",
        "free_pgtables with the patch: tlb_start_vma(first area).",
        "The inner loop: the next area is near enough; vma is the second area now.",
        "tlb_end_vma(second area).",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "seed 003: Hugh Dickins, linux-mm, 1 November 2021, on \"mm: use correct VMA flags when freeing page-tables\"",
        "mm/memory.c: free_pgtables; include/asm-generic/tlb.h: tlb_start_vma, tlb_end_vma, tlb_update_vma_flags (5.15)",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int count = setup["vmas"];
        ImmutableArray<VmaKind> vmas = [.. Enumerable.Range(0, count).Select(index => new VmaKind(index, 1, index == 0, false))];
        bool walkCaches = (FlushPolicyKind)setup["policy"] != FlushPolicyKind.ExecAddsInstructionTlb;
        return GatherFlagsModel.Build(
            new GatherFlagsCase(
                vmas, count, (FlushPolicyKind)setup["policy"], walkCaches, setup.IsBug ? VmaBrackets.Patch : VmaBrackets.None, PairRule.Pages),
            setup.Tlb,
            setup.Model);
    }
}
