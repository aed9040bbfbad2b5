namespace Shootdown.Kernel;

/// <summary>What is wrong with flushing at re-use; the hazards of B50.</summary>
public enum ReuseMistake
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Nobody who works on the page tables learns that a flush is owed: the address may be used again.</summary>
    AddressReused,

    /// <summary>The page cache takes in another folio without a flush.</summary>
    PageCacheChanged,

    /// <summary>Some allocation hands the frame out without a flush.</summary>
    AllocatorSkipsHook,

    /// <summary>Entries that allow stores are deferred too, if they are clean.</summary>
    CleanCountsAsReadOnly,

    /// <summary>An entry that allows stores comes to the address without a flush: others go on reading the old page.</summary>
    MadeWritable,
}

/// <summary>LUF: reclaim does not flush read-only translations; whoever gets the frame next does.</summary>
/// <param name="mistake">What is wrong with it.</param>
public class LazyUntilReuse(ReuseMistake mistake) : FlushDesign
{
    /// <summary>As proposed, with all of its hooks.</summary>
    public LazyUntilReuse()
        : this(ReuseMistake.None)
    {
    }

    /// <inheritdoc/>
    public override string Id => "lazy-until-reuse";

    /// <inheritdoc/>
    public override string Title => "LUF: read-only translations are flushed when the frame is handed out";

    /// <inheritdoc/>
    public override int Year => 2024;

    /// <inheritdoc/>
    public override string Source => "Byungchul Park, linux-mm 2024-25 (LUF); Kumar et al., ASPLOS 2018 (LATR)";

    /// <inheritdoc/>
    public override bool IsSound => mistake == ReuseMistake.None;

    /// <inheritdoc/>
    public override string Story =>
        "Reclaim and migration remove an entry that does not allow stores, note the CPUs that may hold it, and give the frame up without a "
        + "flush. The flush is made when the frame is handed out, before the page cache takes in another folio, and before an entry "
        + "that allows stores comes back: until then a stale translation reads what it always read. Who changes page tables finds the "
        + "flush counted in tlb_flush_batched. Entries "
        + "that allow stores are flushed as ever.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with
        {
            TlbBatch = kernel => new LufBatch(kernel, mistake),
            Reclaim = kernel => new LufReclaim(kernel),
            PageFault = kernel => new LufPageFault(kernel, mistake),
            Migrate = kernel => new LufMigrate(kernel),
            Filemap = kernel => new LufFilemap(kernel, mistake),
        };
    }
}
