using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B39: fork shares a page while GUP-fast pins it.</summary>
public sealed class ForkVsPinSeqcount : Scenario
{
    /// <inheritdoc/>
    public override string Id => "fork-vs-pin-seqcount";

    /// <inheritdoc/>
    public override string Number => "B39";

    /// <inheritdoc/>
    public override string Title => "fork finds a page unpinned and write-protects it while GUP-fast pins it";

    /// <inheritdoc/>
    public override int Year => 2020;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["57efa1fe5957"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gup", "pin", "fork", "copy-on-write"];

    /// <inheritdoc/>
    public override string Property => "P-pin";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 forks and stores, the others pin page 0"),
        new("pages", 1, 1, 3, "pages of the process"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A page that is pinned for a device must stay the page of the process that pinned it. So fork does not share
        it: the child gets a copy at once. Other pages are shared read-only, and whoever stores first gets a copy:
        that may be the parent.

        fork looks for pins under the page-table lock, and then write-protects the entry. GUP-fast takes no lock: it
        reads a writable entry, pins, and finds the entry still writable. In between fork has looked for pins and
        found none. Now the page is shared and pinned; at its next store the parent moves to a copy, and the device
        keeps the old page.

        Since 5.11 a sequence count, mm->write_protect_seq, is odd while fork copies. GUP-fast does not pin while it
        is odd, and lets its pin go if the count has changed meanwhile.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: pin_user_pages_fast(): reads PTE(A) = F, writable.",
        "CPU0: fork: under the page-table lock: F has no pins, so it can be shared.",
        "CPU1: pins F, reads the PTE again: unchanged, so it succeeds.",
        "CPU0: fork: makes the PTE read-only for parent and child.",
        "CPU0: the parent stores to A and gets a copy G. The device still writes to F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "mm/memory.c: copy_page_range; mm/gup.c: lockless_pages_from_mm (6.1), gup_fast (6.12)",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { Gup = kernel => new GupBefore511(kernel) };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { AnonFolios = true, Pins = true, WriteProtectSeq = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, setup["cpus"] + 2) with { Tables = 2 };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, PartsOf(setup), BugOptions);
        (KernelModel kernel, Mm mm) = stage;
        Mm child = kernel.NewMm("child", pages);
        Promise promise = stage.Promise(0, pages, PromiseKind.WriteProtected, "fork()");
        stage.AddThread(0, "fork", () => ForkAndStore(kernel, stage.Cpu(0), mm, child, promise));
        for (int index = 1; index < setup["cpus"]; index++)
        {
            var call = new GupCall(stage.Cpu(index), mm, 0, GupFlags.Pin | GupFlags.Write);
            stage.AddThread(index, "O_DIRECT", () => Pin(kernel, call));
        }

        return stage.ToModel(setup, new PPin(), new PLife(), new PCopy());
    }

    private static async Proc ForkAndStore(KernelModel kernel, Cpu cpu, Mm mm, Mm child, Promise promise)
    {
        await kernel.Fork.DupMmap(cpu, mm, child, promise);
        await Stage.StorePages(kernel, cpu, mm, promise.PageCount);
    }

    private static async Proc Pin(KernelModel kernel, GupCall call) => await kernel.Gup.GupFastFallback(call);

    /// <summary>GUP-fast before 57efa1fe5957: nothing tells it of fork.</summary>
    private sealed class GupBefore511(KernelModel kernel) : Gup(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc<ulong> RawReadSeqcount(GupCall call) => 0;

        /// <inheritdoc/>
        protected override async Proc<bool> ReadSeqcountRetry(GupCall call, ulong seq) => false;
    }
}
