using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-12: the steps of KSM, each taken out, beside what they are there for.</summary>
public sealed class KsmStepList : SeedItem
{
    private static readonly KsmPeer[] Peers =
    [
        KsmPeer.Pins, KsmPeer.PinsAndLooks, KsmPeer.Refers, KsmPeer.Stores, KsmPeer.Forks, KsmPeer.Protects, KsmPeer.Reclaims,
    ];

    private static readonly (string Name, KernelParts Parts)[] Kernels =
    [
        ("core", new KernelParts()),
        ("counts before clearing", KsmVsGupFast.CountsFirst),
        ("no flush", new KernelParts { Ksm = kernel => new KsmWithoutFlush(kernel) }),
        ("references not counted", NotCounted),
        ("nor pins looked for", new KernelParts { Ksm = kernel => new KsmWithoutCount(kernel, true) }),
        ("nothing restored", new KernelParts { Ksm = kernel => new KsmWithoutRestore(kernel) }),
        ("not marked dirty", new KernelParts { Ksm = kernel => new KsmWithoutDirty(kernel) }),
        ("no look at pending flushes", new KernelParts { Ksm = kernel => new KsmWithoutPending(kernel) }),
    ];

    /// <inheritdoc/>
    public override string Id => "S001-12";

    /// <inheritdoc/>
    public override string Lines => "99, 110-111";

    /// <inheritdoc/>
    public override string Claim => "KSM: clear and flush, count, restore on mismatch, share the exclusive mark, install read-only";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The whole merge beside a device that reads from a disk into the page (pin before, during and after), a thread that stores through a TLB
        that may be stale, fork, and mprotect whose flush is pending; the device also with a look at the memory before the page is unpinned,
        and that once more with a plain reference (FOLL_GET), which is what O_DIRECT took when the comment was written.
        At last reclaim, which may discard the page, for it was given up by MADV_FREE, unless the thread has stored to it since.
        P-pin and P-life beside the pin; that the process reads what the disk wrote beside the reference; P-write beside reclaim;
        P-copy and P-life beside the others. Then with one step taken out at a time.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        The count of references is there for holders without a pin: beside one that takes FOLL_PIN the look for pins, which came with the
        exclusive mark (5.19), finds what the count would find. No property judges the reference but the assertion: P-pin promises a stable
        page to holders of pins only, since a plain reference does not keep fork from giving the process a copy (odirect-vs-fork).
        The look at pending flushes is not needed beside anything that was tried. It is covered by the mark: an exclusive page is cleared and
        flushed in any case, and a page that is not has no writable entry left but in a fork, which holds mmap_lock until it has flushed.
        The mark on the page matters for what MADV_FREE gave up only: other anonymous memory goes to swap whether it is dirty or not.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from kernel in Kernels
           from peer in Peers
           select SeedRun.OfModel(Name(kernel.Name, peer), $"ksm beside {peer}: {kernel.Name}", () => Model(kernel.Parts, peer)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var table = new SeedTable(
            "KSM beside",
            ["kernel", "pin, disk", "pin, disk, look", "reference, disk", "store", "fork", "mprotect", "reclaim"],
            [.. Kernels.Select(kernel => new[] { kernel.Name }.Concat(Peers.Select(peer => results[Name(kernel.Name, peer)].Cell)).ToArray())]);
        bool core = Peers.All(peer => results.Passed(Name("core", peer)));
        string[] needed =
            [.. Kernels.Skip(1).Select(kernel => kernel.Name).Where(name => Peers.Any(peer => results.Violated(Name(name, peer))))];
        string[] spare = [.. Kernels.Skip(1).Select(kernel => kernel.Name).Where(name => Peers.All(peer => results.Passed(Name(name, peer))))];
        return new SeedAnswer(
            core ? SeedVerdict.Holds : SeedVerdict.Refuted,
            $"the core is {(core ? "safe" : "not safe")} beside all {Peers.Length}; wrong are: {string.Join("; ", needed)}"
                + (spare.Length > 0 ? $"; safe beside all that was tried: {string.Join("; ", spare)}" : string.Empty))
        { Tables = [table] };
    }

    /// <summary>KSM that does not compare the references with the mappings.</summary>
    internal static KernelParts NotCounted => new() { Ksm = kernel => new KsmWithoutCount(kernel, false) };

    private static string Name(string kernel, KsmPeer peer) => $"{kernel}, {peer}";

    private static CheckModel Model(KernelParts parts, KsmPeer peer) => KsmStage.Make(
        GupModels.Setup(), parts, peer, peer is KsmPeer.Protects or KsmPeer.Reclaims ? 3 : 2, Decisive(peer));

    private static Property? Decisive(KsmPeer peer) => peer switch
    {
        KsmPeer.Refers => null,
        KsmPeer.Pins or KsmPeer.PinsAndLooks => new PPin(),
        KsmPeer.Reclaims => new PWrite(),
        _ => new PCopy(),
    };

    private sealed class KsmWithoutFlush(KernelModel kernel) : Ksm(kernel)
    {
        protected override async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int address)
            => await Kernel.PteOps.PtepGetAndClear(cpu, table, address);
    }

    private sealed class KsmWithoutCount(KernelModel kernel, bool ignoresPins) : Ksm(kernel)
    {
        private readonly bool _ignoresPins = ignoresPins;

        protected override async Proc<bool> ReferencesAreExplained(Cpu cpu, int frame) => true;

        protected override async Proc<bool> TryShare(Cpu cpu, int frame)
        {
            if (!_ignoresPins)
            {
                return await base.TryShare(cpu, frame);
            }

            await Kernel.AnonExclusive.ClearPageAnonExclusive(cpu, frame);
            return true;
        }
    }

    private sealed class KsmWithoutRestore(KernelModel kernel) : Ksm(kernel)
    {
        protected override async Proc Restore(Cpu cpu, PageTable table, int address, Pte old)
        {
        }
    }

    private sealed class KsmWithoutDirty(KernelModel kernel) : Ksm(kernel)
    {
        protected override async Proc SetPageDirty(Cpu cpu, int frame)
        {
        }
    }

    private sealed class KsmWithoutPending(KernelModel kernel) : Ksm(kernel)
    {
        protected override async Proc<bool> IsFlushPending(Cpu cpu, Mm mm) => false;
    }
}
