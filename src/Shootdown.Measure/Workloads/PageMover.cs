using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Moves pages of a heap, as compaction and tiering do: some are isolated, and then <c>migrate_pages</c> gets all of them.</summary>
internal static class PageMover
{
    /// <summary>Moves pages that are drawn at random; one that is drawn twice, or not to be had, is left out.</summary>
    /// <param name="run">The run.</param>
    /// <param name="cpu">The CPU that moves.</param>
    /// <param name="process">Whose pages.</param>
    /// <param name="heap">First page of the heap.</param>
    /// <param name="heapPages">Pages of the heap.</param>
    /// <param name="count">Pages to draw: at most 512 (<c>NR_MAX_BATCHED_MIGRATION</c>).</param>
    internal static async Proc Move(WorkloadRun run, Cpu cpu, Mm process, int heap, int heapPages, int count)
    {
        FrameSet folios = run.Kernel.Kernel.NewFrameSet();
        for (int i = 0; i < count; i++)
        {
            Pte leaf = run.Kernel.Machine.Tables.Walk(process.Space.RootTable, heap + run.Random(cpu, heapPages), out _, out _);
            if (leaf.Present && !Holds(folios, leaf.Frame) && await run.Kernel.Kernel.Reclaim.FolioIsolateLru(cpu, leaf.Frame))
            {
                folios = folios.With(leaf.Frame);
            }
        }

        if (!folios.IsEmpty)
        {
            await run.Kernel.Kernel.Migrate.MigratePagesBatch(cpu, folios);
        }
    }

    private static bool Holds(FrameSet folios, int frame)
    {
        foreach (int held in folios)
        {
            if (held == frame)
            {
                return true;
            }
        }

        return false;
    }
}
