using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// The deferred-flush protocol that other checkers were measured on: reclaim that batches its flushes against
/// <c>madvise(MADV_DONTNEED)</c>, by agents that go on for ever.
/// </summary>
public sealed partial class TlbDefer : Scenario
{
    /// <inheritdoc/>
    public override string Id => "tlbdefer";

    /// <inheritdoc/>
    public override string Title => "Reclaim defers its TLB flushes while others run MADV_DONTNEED, for ever";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["peer"];

    /// <inheritdoc/>
    public override string Property => "P-ret";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters { get; } =
    [
        new("cpus", 3, 2, 8, "one reclaims, the others run madvise; all of them touch every page"),
        new("pages", 2, 1, 6, "pages of the address space"),
    ];

    /// <inheritdoc/>
    public override string Story => """
        This is the protocol of the SPIN model bench/spin/tlbdefer.pml, written for this machine, so that the two can be compared
        side by side. It is not a bug of its own: its bug is that of seed 000, without flush_tlb_batched_pending().

        One CPU reclaims: under the page-table lock it takes a page out of the table and owes the flush (the batch); some time later
        it flushes every CPU once for the whole batch and frees the frames. All other CPUs run madvise(MADV_DONTNEED) of one
        page: under the lock they clear the entry, flush the page everywhere, free the frame and return. If they find
        the entry empty, a reclaim may be under way whose flush is still owed: the fix flushes before it returns if the pending word is
        set, the bug returns at once. User threads on all CPUs touch all pages all the time, and whoever finds a page empty
        maps a new frame. Nothing ever ends.

        The CPUs that run madvise are alike, and so are the pages: states that differ only in their numbers are explored once.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "bench/spin/tlbdefer.pml: the same protocol for SPIN",
        "mm/rmap.c: try_to_unmap_flush, flush_tlb_batched_pending; mm/memory.c: zap_pte_range",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = cpus,
            EntriesPerTable = pages,
            Frames = pages,
            FrameColours = pages,
            WalkCaches = false,
            Model = setup.Model,
            Tlb = setup.Tlb,
        });
        var world = new World(machine, !setup.IsBug);
        foreach (Cpu cpu in machine.Cpus)
        {
            bool reclaims = cpu.Index == 0;
            machine.AddTask(cpu, reclaims ? "reclaim" : "madvise", () => reclaims ? Reclaim(cpu, world) : Madvise(cpu, world));
        }

        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddAgent("user", AgentKind.Hardware, cpu, true, () => User(cpu, world));
        }

        bool isSymmetric = setup is { Model: MemoryModelKind.Sc, Tlb: TlbKind.Lagging };
        return new CheckModel(machine, [new PLife(), new PRet(forgetsAtReturn: true)])
        {
            Symmetry = isSymmetric ? new SymmetricParts([.. machine.Cpus.Skip(1)], Pages: true) : null,
        };
    }

    private static async Proc Reclaim(Cpu cpu, World world)
    {
        while (true)
        {
            Errand errand = await world.NextErrand(cpu);
            if (errand.Kind == ErrandKind.Fault)
            {
                await HandleMmFault(cpu, world, errand.Page);
            }
            else if (errand.Kind == ErrandKind.Page)
            {
                await TryToUnmapOne(cpu, world, errand.Page);
            }
            else
            {
                await TryToUnmapFlush(cpu, world);
            }
        }
    }

    private static async Proc Madvise(Cpu cpu, World world)
    {
        while (true)
        {
            Errand errand = await world.NextErrand(cpu);
            if (errand.Kind == ErrandKind.Fault)
            {
                await HandleMmFault(cpu, world, errand.Page);
            }
            else
            {
                await ZapPteRange(cpu, world, errand.Page);
            }
        }
    }

    private static async Proc User(Cpu cpu, World world)
    {
        while (true)
        {
            await world.TouchAll(cpu);
        }
    }

    /// <summary>Under the lock: a new frame, unless reclaim still holds the page's only one.</summary>
    private static async Proc HandleMmFault(Cpu cpu, World world, int page)
    {
        int frame = await cpu.AllocFrame(page);
        if (frame >= 0)
        {
            await cpu.EntryStore(world.Table, page, Pte.Leaf(frame, write: true));
        }

        await cpu.SpinUnlock(world.Lock);
    }

    /// <summary>Under the lock: clears the entry and puts the frame in the batch; the flush is owed.</summary>
    private static async Proc TryToUnmapOne(Cpu cpu, World world, int page)
    {
        Pte old = await cpu.EntryExchange(world.Table, page, Pte.None, "ptep_get_and_clear");
        if (old.Present)
        {
            await cpu.Store(world.Batch[page], 1);
            await cpu.Store(world.Pending, 1);
        }

        await cpu.SpinUnlock(world.Lock);
    }

    /// <summary>Without the lock: one flush of everything for the batch, then its frames are free.</summary>
    private static async Proc TryToUnmapFlush(Cpu cpu, World world)
    {
        await FlushEverywhere(cpu, world, World.AllPages);
        await world.FreeBatch();
    }

    /// <summary>Under the lock until it returns.</summary>
    private static async Proc ZapPteRange(Cpu cpu, World world, int page)
    {
        Promise promise = world.PromiseOf(cpu, page);
        await cpu.BeginPromise(promise);
        Pte old = await cpu.EntryExchange(world.Table, page, Pte.None, "ptep_get_and_clear");
        if (old.Present)
        {
            await FlushEverywhere(cpu, world, page);
            await cpu.FreeFrame(old.Frame);
        }
        else if (world.Fixed)
        {
            await FlushTlbBatchedPending(cpu, world);
        }

        await cpu.ReturnPromise(promise);
        await cpu.SpinUnlock(world.Lock);
    }

    private static async Proc FlushTlbBatchedPending(Cpu cpu, World world)
    {
        if (await cpu.Load(world.Pending) != 0)
        {
            await FlushEverywhere(cpu, world, World.AllPages);
            await cpu.Store(world.Pending, 0);
        }
    }

    private static async Proc FlushEverywhere(Cpu cpu, World world, int page)
    {
        if (page == World.AllPages)
        {
            await cpu.FlushTlbLocal();
        }
        else
        {
            await cpu.Invlpg(page);
        }

        await cpu.SendIpi(world.AllCpus & ~cpu.Bit, world.FlushFunction, (ulong)(page + 1));
        await cpu.AwaitIpiAcknowledgements();
    }
}
