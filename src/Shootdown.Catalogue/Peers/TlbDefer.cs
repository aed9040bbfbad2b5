using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// The deferred-flush protocol that other checkers were measured on: reclaim that batches its flushes against
/// <c>madvise(MADV_DONTNEED)</c>, by agents that go on for ever.
/// </summary>
public sealed class TlbDefer : Scenario
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

    private enum ErrandKind
    {
        Fault,
        Page,
        Flush,
    }

    /// <summary>What a CPU does next, and with which page.</summary>
    private readonly record struct Errand(ErrandKind Kind, int Page)
    {
        internal long Raw => ((long)Page << 32) | (uint)Kind;

        internal static Errand Of(long raw) => new((ErrandKind)(int)raw, (int)(raw >> 32));
    }

    /// <summary>What all programs share.</summary>
    private sealed class World : MachineHandle
    {
        internal const int AllPages = -1;
        private readonly Promise?[] _promises;
        private readonly Operation[] _touches;
        private readonly Operation[] _frees;

        internal World(MachineModel machine, bool isFixed)
            : base(machine)
        {
            Paging paging = machine.Paging;
            Fixed = isFixed;
            Pages = paging.PageCount;
            AllCpus = (1UL << machine.Cpus.Count) - 1;
            AddressSpace space = paging.NewAddressSpace("mm");
            Table = paging.BuildPath(space, 0);
            Lock = paging.LockOf(Table.Index);
            Pending = machine.NewWord("mm->tlb_flush_batched");
            Batch = [.. Enumerable.Range(0, Pages).Select(page =>
                machine.NewLocalWord(machine.Cpus[0], $"tlb_ubc.page{page}", 0, new WordPlace("tlb_ubc", Page: page)))];
            _promises = [.. Enumerable.Range(0, machine.Cpus.Count * Pages).Select(i => i < Pages
                ? null : new Promise(machine, machine.Cpus[i / Pages], space, i % Pages, 1, PromiseKind.Removed, "madvise()"))];
            _touches = [.. Enumerable.Range(0, machine.Cpus.Count * Pages)
                .Select(i => OperationParts.Touch(machine.Cpus[i / Pages], i % Pages))];
            _frees = [.. Enumerable.Range(0, Pages).Select(frame => OperationParts.FreeFrame(machine.Cpus[0], frame))];
            FlushFunction = machine.Interrupts.RegisterAtomicFunction(new FlushHandler(machine));
            foreach (Cpu cpu in machine.Cpus)
            {
                paging.BuildLoadedRoot(cpu, space, 0);
            }
        }

        internal bool Fixed { get; }

        internal int Pages { get; }

        internal ulong AllCpus { get; }

        internal PageTable Table { get; }

        internal Spinlock Lock { get; }

        internal Word Pending { get; }

        /// <summary>1 for every page whose old frame waits for reclaim's flush.</summary>
        internal IReadOnlyList<Word> Batch { get; }

        internal int FlushFunction { get; }

        internal Promise PromiseOf(Cpu cpu, int page) => _promises[(cpu.Index * Pages) + page]!;

        internal Operation TouchOf(Cpu cpu, int page) => _touches[(cpu.Index * Pages) + page];

        /// <summary>A page has one frame, of its own number.</summary>
        internal Operation FreeOf(int page) => _frees[page];

        internal Op<Errand> NextErrand(Cpu cpu) => new(new ErrandOperation(cpu, this));

        internal Op TouchAll(Cpu cpu) => new(new TouchAllOperation(cpu, this));

        internal Op FreeBatch() => new(new FreeBatchOperation(this));

        internal int EntryAddress(int page) => Machine.Paging.EntryAddressOf(Table, page);
    }

    /// <summary>
    /// A CPU in user mode: it faults at a page that it finds empty or starts its system call on any page, either of which begins
    /// with the page-table lock; the reclaimer may instead flush its batch.
    /// </summary>
    private sealed class ErrandOperation(Cpu cpu, World world) : Operation
    {
        public override string Text => $"spin_lock({world.Lock.Name})";

        public override StepWeight Weight => StepWeight.Context;

        public override int AcquiresLock => cpu.Index == 0 ? -1 : world.Lock.Word.Address;

        public override int BlockedOn(MachineState state) => world.Lock.Word.Address;

        public override int Alternatives(MachineState state)
        {
            if (!cpu.Machine.Model.IsDrained(state, cpu))
            {
                return 0;
            }

            int count = HasBatch(state) ? 1 : 0;
            if (state.Read(world.Lock.Word.Address) == 0)
            {
                count += world.Pages;
                for (int page = 0; page < world.Pages; page++)
                {
                    count += state.Read(world.EntryAddress(page)) == 0 ? 1 : 0;
                }
            }

            return count;
        }

        public override long Execute(MachineState state, int alternative)
        {
            int rest = alternative;
            if (HasBatch(state) && rest-- == 0)
            {
                if (state.Record is { } record)
                {
                    record.Text = "try_to_unmap_flush()";
                }

                return new Errand(ErrandKind.Flush, 0).Raw;
            }

            state.Write(world.Lock.Word.Address, (ulong)cpu.Index + 1);
            for (int page = 0; page < world.Pages; page++)
            {
                if (state.Read(world.EntryAddress(page)) == 0 && rest-- == 0)
                {
                    state.Record?.Note($"[ page fault at {Paging.AddressText(page)} ]");
                    return new Errand(ErrandKind.Fault, page).Raw;
                }
            }

            return new Errand(ErrandKind.Page, rest).Raw;
        }

        public override long ResultUnder(Permutation permutation, long result)
        {
            var errand = Errand.Of(result);
            return errand.Kind == ErrandKind.Flush ? result : (errand with { Page = permutation.PageOf(errand.Page) }).Raw;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(world.Lock.Word.Address);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
            for (int page = 0; page < world.Pages; page++)
            {
                footprint.Read(world.EntryAddress(page));
                if (cpu.Index == 0)
                {
                    footprint.Read(world.Batch[page].Address);
                }
            }
        }

        private bool HasBatch(MachineState state)
        {
            for (int page = 0; page < world.Pages && cpu.Index == 0; page++)
            {
                if (state.Read(world.Batch[page].Address) != 0)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>User threads touch every page that they can reach; what they may reach is judged, and nothing changes.</summary>
    private sealed class TouchAllOperation(Cpu cpu, World world) : Operation
    {
        public override string Text => "load";

        public override StepWeight Weight => StepWeight.Key;

        public override bool IsObservation => true;

        public override long Execute(MachineState state, int alternative)
        {
            for (int page = 0; page < world.Pages && state.Violation is null; page++)
            {
                // A fault is an errand of the CPU's task, so only what hits counts here.
                if (TlbInspector.MayHit(state, cpu, page))
                {
                    Touch(state, page);
                }
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            for (int page = 0; page < world.Pages; page++)
            {
                world.TouchOf(cpu, page).AddFootprint(footprint);
            }
        }

        /// <summary>A replay tells only of the page that violates.</summary>
        private void Touch(MachineState state, int page)
        {
            StepRecord? record = state.Record;
            state.Record = null;
            world.TouchOf(cpu, page).Execute(state, 0);
            state.Record = record;
            if (record is not null && state.Violation is not null)
            {
                state.Violation = null;
                record.Text = world.TouchOf(cpu, page).Text;
                world.TouchOf(cpu, page).Execute(state, 0);
            }
        }
    }

    /// <summary>Reclaim gives all frames of its batch back in one step.</summary>
    private sealed class FreeBatchOperation(World world) : Operation
    {
        public override string Text => "free_unref_page_list()";

        public override StepWeight Weight => StepWeight.Key;

        public override long Execute(MachineState state, int alternative)
        {
            for (int page = 0; page < world.Pages; page++)
            {
                if (state.Read(world.Batch[page].Address) != 0)
                {
                    state.Record?.Note($"frame {page}");
                    state.Write(world.Batch[page].Address, 0);
                    world.FreeOf(page).Execute(state, 0);
                }
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            for (int page = 0; page < world.Pages; page++)
            {
                footprint.Write(world.Batch[page].Address);
                world.FreeOf(page).AddFootprint(footprint);
            }
        }
    }

    /// <summary>The flush that a CPU makes for another: everything, or one page.</summary>
    private sealed class FlushHandler(MachineModel machine) : AtomicHandler(machine)
    {
        public override string Name => "flush_tlb_func";

        public override bool ArgumentIsPage => true;

        public override void Run(MachineState state, Cpu self, Cpu sender)
            => TlbInspector.Flush(state, self, (int)Machine.Interrupts.ArgumentOf(state, sender) - 1);

        public override void AddFootprint(Footprint footprint, Cpu self) => TlbInspector.AddFlushFootprint(footprint, self);
    }
}
