namespace Shootdown.Kernel;

/// <summary>What is wrong with flushing at the next tick.</summary>
public enum LatrMistake
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>mmap hands an address out before all CPUs have swept (B50, hazard 4).</summary>
    AddressNotKept,

    /// <summary>Pages are given back when munmap returns.</summary>
    FreedAtOnce,

    /// <summary>madvise(MADV_DONTNEED) is lazy too, as in the paper: its caller goes on using the address.</summary>
    MadviseToo,
}

/// <summary>LATR: munmap leaves the other CPUs a note, and returns; they flush at their next tick or switch.</summary>
/// <param name="mistake">What is wrong with it.</param>
public class Latr(LatrMistake mistake) : FlushDesign
{
    /// <summary>With the restriction that makes it safe.</summary>
    public Latr()
        : this(LatrMistake.None)
    {
    }

    /// <inheritdoc/>
    public override string Id => "latr";

    /// <inheritdoc/>
    public override string Title => "LATR: munmap returns, and other CPUs flush at their next tick";

    /// <inheritdoc/>
    public override int Year => 2018;

    /// <inheritdoc/>
    public override string Source => "Kumar et al., \"LATR: Lazy Translation Coherence\", ASPLOS 2018";

    /// <inheritdoc/>
    public override bool IsSound => mistake == LatrMistake.None;

    /// <inheritdoc/>
    public override string Story =>
        "munmap flushes its own CPU and puts a state into its queue: what was removed, and which CPUs must still flush. Every CPU sweeps "
        + "the queues at its tick and at a switch of address spaces. Who sweeps last gives pages and page tables back. Until then the "
        + "address is not handed out again, and munmap's promise is judged only then: that is less than Linux promises. CPUs in "
        + "lazy mode are interrupted if tables go; a full queue (64 states, one on small machines) means a flush as ever. "
        + "madvise, mprotect and reclaim flush as in 6.12.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with
        {
            TlbFlush = kernel => new LatrFlush(kernel),
            SwitchMm = kernel => new LatrSwitch(kernel),
            MmuGather = kernel => new LatrGather(kernel, mistake),
            Munmap = kernel => new LatrMunmap(kernel, mistake),
        };
    }
}

/// <summary>LATR as its paper lists it: madvise is lazy as well.</summary>
public sealed class LatrWithMadvise() : Latr(LatrMistake.MadviseToo)
{
    /// <inheritdoc/>
    public override string Id => "latr-madvise";

    /// <inheritdoc/>
    public override string Title => "LATR as published: madvise is lazy as well";
}
