using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>B48c: truncation calls a notifier that sleeps under i_mmap_lock.</summary>
public sealed class TruncateUnderSpinlock : Scenario
{
    /// <inheritdoc/>
    public override string Id => "truncate-under-spinlock";

    /// <inheritdoc/>
    public override string Number => "B48c";

    /// <inheritdoc/>
    public override string Title => "truncation holds i_mmap_lock, a spinlock, and calls a notifier that sleeps";

    /// <inheritdoc/>
    public override int Year => 2010;

    /// <inheritdoc/>
    public override string Seed => "004";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["mmu-notifier", "truncate", "sleep", "seed"];

    /// <inheritdoc/>
    public override string Property => "P-atomic";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 1, 3, "CPUs between which the tasks move"),
        new("tasks", 2, 1, 3, "processes, each with a file that is truncated"),
        new("pages", 1, 1, 3, "pages of each"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        With SRCU for the list and the gather started behind range_start, munmap() may call notifiers that
        sleep. "You missed truncate", says the mail: unmap_mapping_range() walks the areas that map a file under
        i_mmap_lock, which is a spinlock in 2010, and calls zap_page_range() and with it the notifiers.

        The fix makes i_mmap_lock a lock that sleeps. That took until 2011 (i_mmap_mutex).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "A: truncate: unmap_mapping_range takes i_mmap_lock.",
        "A: zap_page_range: mmu_notifier_invalidate_range_start: the callback sleeps with the spinlock held.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "seed 004: Andrea Arcangeli, Robin Holt, linux-mm, January 2010",
        "Linux 2.6.33: mm/memory.c: unmap_mapping_range, unmap_mapping_range_vma, zap_page_range",
        "commit 3d48ae45e72 (2011): mm: Convert i_mmap_lock to a mutex",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        var design = new Design2010 { NotifierFirst = true, IMmapSleeps = !setup.IsBug };
        var stage = Stage2010.Make(design, setup["cpus"], setup["tasks"], setup["pages"], false, setup.Tlb, setup.Model);
        for (int i = 0; i < setup["tasks"]; i++)
        {
            stage.AddProcess($"{(char)('A' + i)}: truncate", Call2010.Truncate);
        }

        return stage.ToModel(new PAtomic());
    }
}
