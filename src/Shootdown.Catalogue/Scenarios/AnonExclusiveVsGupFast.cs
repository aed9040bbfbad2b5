using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B38: reclaim takes the exclusive mark of a page away while GUP-fast pins it.</summary>
public sealed class AnonExclusiveVsGupFast : Scenario
{
    private const int LooksTooEarly = 0;
    private const int ReadsOnce = 1;
    private const int PlainStore = 2;

    /// <inheritdoc/>
    public override string Id => "anon-exclusive-vs-gup-fast";

    /// <inheritdoc/>
    public override string Number => "B38";

    /// <inheritdoc/>
    public override string Title => "a page is pinned and loses its exclusive mark at the same time";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["088b8aa537c2"];

    /// <inheritdoc/>
    public override string Seed => "001";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gup", "pin", "copy-on-write", "barrier", "arm64"];

    /// <inheritdoc/>
    public override string Property => "P-pin";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 reclaims, the others pin page 0 and store to it"),
        new("pages", 1, 1, 2, "pages that are reclaimed"),
        new("order", 0, 0, 2, "what the bug does: 0 looks for pins too early, 1 pins without a second look, 2 clears by a plain store, no fence"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        An anonymous page that belongs to one process alone is marked exclusive. Only such a page may be pinned for a
        device, and a page that is pinned keeps the mark: otherwise the next store of the process goes to a copy.

        Two protocols meet without a lock. Who shares a page (swap-out, migration, KSM): clears the entry, looks for
        pins, clears the mark. Who pins one (GUP-fast): reads the entry, pins, reads the entry again, and if that is
        read-only looks at the mark. Each writes first and then reads what the other has written; at least one of
        them must see the other.

        On x86 the entry is cleared and the pin is taken by locked instructions, so the order of the program is the
        order in memory, and the protocol holds. On arm64 neither is a full fence: both CPUs may read the old values.
        The commit added smp_mb() on the side that shares, and smp_rmb() where the mark is read. That sighting needs
        the arm64 memory model. Here the bug is one of order, which every machine shows: pins are looked for before
        the entry is cleared. With order=1 the entry is not read again behind the pin, on a machine whose flush is no
        IPI: with an IPI the flush waits for the walker, and nothing goes wrong. With order=2 the entry of a
        clean page is cleared by a plain store, no fence and no flush behind it: that shows under x86-tso only.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: try_to_unmap_one(): looks for pins of F: none.",
        "CPU1: pin_user_pages_fast(): reads PTE(A) = F, pins F, reads the PTE again: unchanged, so it succeeds.",
        "CPU0: clears the PTE and the mark, sets a swap entry.",
        "CPU1: stores to A: the fault maps another page. The device keeps F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "seed 001, last paragraph",
        "include/linux/rmap.h: page_try_share_anon_rmap (6.1), folio_try_share_anon_rmap_pte (6.12); include/linux/mm.h: gup_must_unshare",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return PartsWith(setup["order"]);
    }

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { AnonFolios = true, Pins = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        Stage stage = StageOf(setup, setup["cpus"], setup["pages"], PartsOf(setup), setup["order"] != PlainStore);
        return stage.ToModel(setup, new PPin(), new PLife());
    }

    /// <summary>The machine with any kernel; clean pages are not marked dirty by a locked instruction as they are unmapped.</summary>
    internal static Stage StageOf(ScenarioSetup setup, int cpus, int pages, KernelParts parts, bool dirty)
    {
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 1 + cpus);
        var build = new KernelOptions { AnonFolios = true, Pins = true };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty, parts, build);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddKernelThread(0, "kswapd", () => Reclaim(kernel, stage.Cpu(0), pages));
        for (int index = 1; index < cpus; index++)
        {
            var call = new GupCall(stage.Cpu(index), mm, 0, GupFlags.Pin | GupFlags.Write | GupFlags.FastOnly);
            stage.AddThread(index, "O_DIRECT", () => PinAndStore(kernel, call));
        }

        return stage;
    }

    /// <summary>A kernel with one of the bugs.</summary>
    internal static KernelParts PartsWith(int order) => order switch
    {
        LooksTooEarly => new KernelParts { Reclaim = kernel => new LooksForPinsFirst(kernel) },
        ReadsOnce => new KernelParts { Gup = kernel => new PinsWithoutSecondLook(kernel), TlbFlush = kernel => new HypervisorTlbFlush(kernel) },
        _ => Clearing(locked: false, fence: false),
    };

    /// <summary>A kernel that clears entries by a locked exchange or a plain store, with or without a fence behind it, and flushes later.</summary>
    internal static KernelParts Clearing(bool locked, bool fence) => new()
    {
        PteOps = kernel => new ClearsWithoutFlush(kernel, locked),
        AnonExclusive = kernel => fence ? new AnonExclusive(kernel) : new WithoutFence(kernel),
    };

    private static async Proc Reclaim(KernelModel kernel, Cpu cpu, int pages)
        => await kernel.Reclaim.ShrinkFolioList(cpu, Stage.MappedFrames(pages), false);

    private static async Proc PinAndStore(KernelModel kernel, GupCall call)
    {
        if (await kernel.Gup.GupFastFallback(call) >= 0)
        {
            await kernel.UserAccess.UserStore(call.Cpu, call.Mm, call.Page, 1);
        }
    }

    /// <summary>The mark is taken away before the entry is cleared.</summary>
    private sealed class LooksForPinsFirst(KernelModel kernel) : Reclaim(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<ulong> TryToUnmapOne(Cpu cpu, Mm mm, PageTable table, int page, int frame, bool batch)
            => await base.ShareAnonRmap(cpu, frame) ? await base.TryToUnmapOne(cpu, mm, table, page, frame, batch) : 0;

        /// <inheritdoc/>
        protected override async Proc<bool> ShareAnonRmap(Cpu cpu, int frame) => true;
    }

    /// <summary>GUP-fast that trusts its first look at the entry.</summary>
    private sealed class PinsWithoutSecondLook(KernelModel kernel) : Gup(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc<bool> PteChanged(GupCall call, PageTable table, Pte pte) => false;
    }

    /// <summary>An architecture that flushes later, so that no flush stands between the entry and the look for pins.</summary>
    private sealed class ClearsWithoutFlush(KernelModel kernel, bool locked) : PteOps(kernel)
    {
        private readonly bool _locked = locked;

        /// <inheritdoc/>
        public override async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int page)
        {
            if (_locked)
            {
                return await PtepGetAndClear(cpu, table, page);
            }

            Pte old = await cpu.EntryRead(table, page);
            await cpu.EntryStore(table, page, Pte.None, "ptep_get_and_clear");
            return old;
        }
    }

    /// <summary>The protocol before 088b8aa537c2: no fence between the entry and the pins.</summary>
    private sealed class WithoutFence(KernelModel kernel) : AnonExclusive(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<bool> FolioTryShareAnonRmapPte(Cpu cpu, int frame)
        {
            if (await FolioMaybeDmaPinned(cpu, frame))
            {
                return false;
            }

            await ClearPageAnonExclusive(cpu, frame);
            return true;
        }
    }
}
