using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// The machine of scenarios with collapse: two levels of tables with two entries each, so that two small pages make a huge one; small
/// pages are mapped at the first pages.
/// </summary>
public static class CollapseStage
{
    /// <summary>Small pages of a huge page.</summary>
    public const int Span = 2;

    /// <summary>The kernel's build: walkers in software are waited for by IPIs, pages may be pinned and collapsed.</summary>
    public static KernelOptions Options => new() { AnonFolios = true, Pins = true, Thp = true, HugeCollapse = true, RcuTableFree = true };

    /// <summary>Makes it.</summary>
    /// <param name="setup">What is asked for.</param>
    /// <param name="cpus">CPUs.</param>
    /// <param name="pages">Pages that are mapped, at most <see cref="Span"/>: frame p at page p, writable and dirty.</param>
    /// <param name="parts">Replaced mechanisms.</param>
    /// <param name="grace">True if programs use RCU grace periods.</param>
    public static Stage Make(ScenarioSetup setup, int cpus, int pages, KernelParts parts, bool grace = false)
    {
        ArgumentNullException.ThrowIfNull(setup);
        var options = new MachineOptions
        {
            Cpus = cpus,
            Levels = 2,
            EntriesPerTable = Span,
            Tables = 3,
            Frames = 2 * Span,
            FrameColours = Span,
            Model = setup.Model,
            Tlb = setup.Tlb,
            GracePeriods = grace,
        };
        var kernel = new KernelModel(new MachineModel(options), Options, parts);
        Mm mm = kernel.NewMm("mm", Span);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: true, dirty: true));
        }

        return new Stage(kernel, mm);
    }
}
