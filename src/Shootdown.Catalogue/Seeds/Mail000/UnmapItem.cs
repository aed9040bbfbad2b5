using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>An item of mail 000 that is answered by machines of <see cref="UnmapModel"/>.</summary>
public abstract class UnmapItem : SeedItem
{
    /// <summary>A machine as a run; its key is its name, so that machines are shared between items.</summary>
    protected static SeedRun RunOf(UnmapModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return SeedRun.OfModel(model.Name, $"unmap {model.Name}", model.Build);
    }

    /// <summary>What the runs of a machine cost; calls of invalidate_range are counted too.</summary>
    protected static SeedRun CostOf(UnmapModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return SeedRun.OfModel(CostName(model), CostName(model), () => new CheckModel(model.BuildStage().Machine, [new PCost(functions: InvalidateRange)]));
    }

    /// <summary>Name of <see cref="CostOf"/>.</summary>
    protected static string CostName(UnmapModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return $"cost of {model.Name}, {model.Cpus} CPUs, {model.Pages} pages";
    }

    /// <summary>The function whose calls <see cref="CostOf"/> counts.</summary>
    protected const string InvalidateRange = "mmu_notifier_invalidate_range";

    /// <summary>The result of a machine.</summary>
    protected static SeedRunResult Result(SeedResults results, UnmapModel model)
    {
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(model);
        return results[model.Name];
    }

    /// <summary>True if the machine is safe.</summary>
    protected static bool IsSafe(SeedResults results, UnmapModel model) => Result(results, model).Cell == "safe";

    /// <summary>A table of machines.</summary>
    /// <param name="results">The results.</param>
    /// <param name="title">What it shows.</param>
    /// <param name="columns">Heads of the columns with text, then of those with machines.</param>
    /// <param name="rows">For each row its text cells and its machines.</param>
    protected static SeedTable TableOf(
        SeedResults results, string title, IReadOnlyList<string> columns, IEnumerable<(string[] Texts, IEnumerable<UnmapModel> Models)> rows)
        => new(title, columns, [.. rows.Select(row
            => (IReadOnlyList<string>)[.. row.Texts, .. row.Models.Select(model => Result(results, model).Cell)])]);

    /// <summary>In words.</summary>
    protected static string NameOf(PrimaryFlush flush) => flush switch
    {
        PrimaryFlush.UnderLock => "under PTL",
        PrimaryFlush.AfterLock => "after PTL",
        _ => "batched",
    };

    /// <summary>In words.</summary>
    protected static string NameOf(SecondaryFlush flush) => flush switch
    {
        SecondaryFlush.BeforeClear => "before clear",
        SecondaryFlush.UnderLock => "under PTL",
        SecondaryFlush.AfterLock => "after PTL",
        SecondaryFlush.RangeEnd => "range_end",
        SecondaryFlush.Both => "both",
        _ => "none",
    };

    /// <summary>In words.</summary>
    protected static string NameOf(UnmapPeer peer) => peer switch
    {
        UnmapPeer.Dontneed => "DONTNEED",
        UnmapPeer.MunmapMmap => "munmap+mmap",
        _ => peer.ToString().ToLowerInvariant(),
    };

    /// <summary>In words.</summary>
    protected static string NameOf(ReferenceHeld reference) => reference switch
    {
        ReferenceHeld.No => "no",
        ReferenceHeld.UntilUnlock => "until unlock",
        ReferenceHeld.UntilRangeEnd => "until range_end",
        _ => "until flushed",
    };

    /// <summary>All kinds of what runs beside the unmapping.</summary>
    protected static IReadOnlyList<UnmapPeer> Peers { get; } = Enum.GetValues<UnmapPeer>();
}
