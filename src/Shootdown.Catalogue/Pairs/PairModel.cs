using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Builds the machine of a cell: the smallest that its operations need.</summary>
public static class PairModel
{
    /// <summary>Builds it.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="setup">Which kernel, on what machine.</param>
    public static CheckModel Build(PairCell cell, PairSetup setup)
    {
        ArgumentNullException.ThrowIfNull(cell);
        ArgumentNullException.ThrowIfNull(setup);
        KernelOptions kernelOptions = OptionsOf(cell, setup);
        int destinations = cell.Operations.Select((operation, i) => operation.DestinationPages(cell.RangeOf(i).Count)).Sum();
        MachineOptions options = OptionsOf(cell, kernelOptions, destinations, setup);
        bool mmapWriters = setup.TakesAllLocks || cell.Bystander is Bystander.NewGuest or Bystander.NewDevice
            || cell.Operations.Any(operation => operation.WritesMmapLock);
        Stage stage = StageOf(cell, setup, options, kernelOptions, mmapWriters);
        var secondary = SecondaryBystander.Of(stage, cell, setup);
        setup.Prepare?.Invoke(stage);
        int destination = cell.Pages;
        for (int i = 0; i < cell.Operations.Count; i++)
        {
            (int first, int count) = cell.RangeOf(i);
            MmOperation operation = cell.Operations[i];
            int moved = operation.DestinationPages(count);
            Add(stage, i, operation, new OperationCall(
                stage.Kernel, stage.Cpu(i), operation.SpaceOf(stage), operation, first, count, moved > 0 ? destination : -1,
                operation.HasChild ? stage.Kernel.NewMm(ChildName(i), cell.Pages, mmapWriters) : null),
                cell.Operations.Any(other => other.MayLeaveOthersWaiting));
            destination += moved;
        }

        if (secondary is not null)
        {
            secondary.AddPrograms(stage, cell, stage.Cpu(cell.Cpus - 1));
        }
        else
        {
            AddBystander(stage, cell, cell.Operations.Count);
        }

        return new CheckModel(
            stage.Machine,
            PairProperties.Of(cell, stage, setup, secondary?.HasTable == true),
            cell.Operations.Any(operation => operation.RulesOutTranslations) ? ["P-ret"] : []);
    }

    /// <summary>Name of the address space that an operation makes.</summary>
    internal static string ChildName(int operation) => $"child{operation}";

    /// <summary>What the operations need. Where it is known whose a page is alone, mprotect makes entries writable without a fault (since 6.1).</summary>
    private static KernelOptions OptionsOf(PairCell cell, PairSetup setup)
    {
        KernelOptions chosen = cell.Operations.Aggregate(Initial(cell, setup), (options, operation) => operation.Configure(options));
        return chosen with { TryChangeWritable = chosen.TryChangeWritable || chosen.AnonFolios };
    }

    private static KernelOptions Initial(PairCell cell, PairSetup setup)
    {
        KernelOptions options = setup.TakesAllLocks ? setup.Options with { AnonMoves = true } : setup.Options;
        if (cell is { Bystander: Bystander.Device, Relation: RangeRelation.NeighbouringTables })
        {
            // The gather is full after each page: what is freed on the way is judged too.
            options = options with { GatherFrames = 1 };
        }

        return cell.Kind switch
        {
            PageKind.CopyOnWrite or PageKind.Referenced or PageKind.PrivateFile => options with { AnonFolios = true },
            PageKind.UserfaultProtected => options with { AnonFolios = true, UserfaultWp = true },
            PageKind.Hinted => options with { AnonFolios = true, MisplacedPages = true, MixedNodes = true },
            PageKind.Huge or PageKind.HugeCopyOnWrite => options with { AnonFolios = true, Thp = true, HugeCollapse = true, RcuTableFree = true },
            PageKind.HugeFile => options with { Files = true, Thp = true, HugeFiles = true, RcuTableFree = true },
            _ => options,
        };
    }

    /// <summary>
    /// Beside a busy CPU the pages were stored to; beside others they are clean, because what the kernel may defer differs.
    /// </summary>
    private static Stage StageOf(
        PairCell cell, PairSetup setup, MachineOptions options, KernelOptions kernelOptions, bool mmapWriters) => cell.Kind switch
        {
            PageKind.Anonymous => Stage.WithMappedPages(
                options, cell.Pages, mmapWriters, StartsDirty(cell), setup.Parts, kernelOptions),
            PageKind.Referenced => WithReferencedPages(cell, setup, options, kernelOptions, mmapWriters),
            PageKind.Hinted => WithEntries(
                cell, setup, options, kernelOptions, mmapWriters, page => Pte.Leaf(page, false, true).With(Pte.ProtNoneBit).Without(Pte.PresentBit)),
            PageKind.UserfaultProtected => WithEntries(
                cell, setup, options, kernelOptions, mmapWriters, page => Pte.Leaf(page, false, true).With(Pte.UserfaultWpBit)),
            PageKind.Huge => WithHugePage(cell, setup, options, kernelOptions, mmapWriters),
            PageKind.HugeFile => WithHugeFile(cell, setup, options, kernelOptions, mmapWriters),
            PageKind.HugeCopyOnWrite => WithSharedHugePage(cell, setup, options, kernelOptions, mmapWriters),
            PageKind.PrivateFile => Stage.WithMappedFile(options, cell.Pages, mmapWriters, FileAreaKind.Private, setup.Parts, kernelOptions),
            PageKind.CopyOnWrite => WithSharedPages(cell, setup, options, kernelOptions, mmapWriters),
            PageKind.Hugetlb => WithSharedTables(cell, setup, options, kernelOptions, mmapWriters),
            PageKind.File => Stage.WithMappedFile(
                options, cell.Pages, mmapWriters, FileAreaKind.Shared, setup.Parts, kernelOptions, cell.Bystander != Bystander.Dirtying),
            _ => Stage.WithMappedFile(options, cell.Pages, mmapWriters, FileAreaKind.PfnMap, setup.Parts, kernelOptions),
        };

    private static bool StartsDirty(PairCell cell) => cell.Bystander is not (Bystander.Lazy or Bystander.Switching or Bystander.Dirtying);

    private static Stage WithSharedPages(
        PairCell cell, PairSetup setup, MachineOptions options, KernelOptions kernelOptions, bool mmapWriters)
    {
        var kernel = new KernelModel(new MachineModel(options), kernelOptions, setup.Parts);
        Mm mm = kernel.NewMm("mm", cell.Pages, mmapWriters);
        Mm child = kernel.NewMm("child", cell.Pages, mmapWriters);
        for (int page = 0; page < cell.Pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: false));
            kernel.BuildMapping(child, page, Pte.Leaf(page, write: false));
        }

        return new Stage(kernel, mm);
    }

    private static Stage WithHugePage(
        PairCell cell, PairSetup setup, MachineOptions options, KernelOptions kernelOptions, bool mmapWriters)
    {
        var kernel = new KernelModel(new MachineModel(options), kernelOptions, setup.Parts);
        Mm mm = kernel.NewMm("mm", cell.Pages, mmapWriters);
        kernel.BuildHugeMapping(mm, 0, Pte.Leaf(0, write: true, dirty: StartsDirty(cell)));
        return new Stage(kernel, mm);
    }

    private static Stage WithSharedHugePage(
        PairCell cell, PairSetup setup, MachineOptions options, KernelOptions kernelOptions, bool mmapWriters)
    {
        var kernel = new KernelModel(new MachineModel(options), kernelOptions, setup.Parts);
        Mm mm = kernel.NewMm("mm", cell.Pages, mmapWriters);
        kernel.BuildHugeMapping(mm, 0, Pte.Leaf(0, write: false));
        kernel.BuildHugeMapping(kernel.NewMm("child", cell.Pages, mmapWriters), 0, Pte.Leaf(0, write: false));
        return new Stage(kernel, mm);
    }

    private static Stage WithHugeFile(
        PairCell cell, PairSetup setup, MachineOptions options, KernelOptions kernelOptions, bool mmapWriters)
    {
        var kernel = new KernelModel(new MachineModel(options), kernelOptions, setup.Parts);
        Mm mm = kernel.NewMm("mm", cell.Pages, mmapWriters);
        kernel.BuildHugeFile(mm.AddSharedFileArea(kernel.NewFile("file", cell.Pages), 0, cell.Pages, 0), 0, StartsDirty(cell));
        return new Stage(kernel, mm);
    }

    private static Stage WithSharedTables(
        PairCell cell, PairSetup setup, MachineOptions options, KernelOptions kernelOptions, bool mmapWriters)
    {
        var kernel = new KernelModel(new MachineModel(options with { SharedTables = true }), kernelOptions, setup.Parts);
        Mm mm = kernel.NewMm("mm", cell.Pages, mmapWriters);
        Mm other = kernel.NewMm("other", cell.Pages, mmapWriters);
        kernel.NewFile("hugetlbfs", cell.Pages);
        for (int page = 0; page < cell.Pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: true, dirty: true));
        }

        kernel.Hugetlb.BuildShared(mm, other, 0);
        return new Stage(kernel, mm);
    }

    /// <summary>As a get_user_pages() without FOLL_PIN, or a fork whose child is gone by now, may leave them.</summary>
    private static Stage WithReferencedPages(
        PairCell cell, PairSetup setup, MachineOptions options, KernelOptions kernelOptions, bool mmapWriters)
    {
        Stage stage = Stage.WithMappedPages(options, cell.Pages, mmapWriters, dirty: true, setup.Parts, kernelOptions);
        for (int page = 0; page < cell.Pages; page++)
        {
            Folio folio = stage.Kernel.Folios[page];
            stage.Machine.SetInitial(folio.AnonExclusive.Address, 0);
            stage.Machine.SetInitial(folio.Frame.RefCount.Address, 2);
        }

        return stage;
    }

    private static Stage WithEntries(
        PairCell cell, PairSetup setup, MachineOptions options, KernelOptions kernelOptions, bool mmapWriters, Func<int, Pte> entry)
    {
        var kernel = new KernelModel(new MachineModel(options), kernelOptions, setup.Parts);
        Mm mm = kernel.NewMm("mm", cell.Pages, mmapWriters);
        for (int page = 0; page < cell.Pages; page++)
        {
            kernel.BuildMapping(mm, page, entry(page));
            kernel.Machine.SetInitial(kernel.Folios[page].AnonExclusive.Address, 1);
        }

        return new Stage(kernel, mm);
    }

    private static MachineOptions OptionsOf(PairCell cell, KernelOptions kernel, int destinations, PairSetup setup)
    {
        bool freesTables = kernel.Thp || cell.Operations.Any(operation => operation.FreesTables);
        bool faults = Faults(cell);
        int pages = cell.Pages + destinations;
        bool twoTables = cell.Relation == RangeRelation.NeighbouringTables;
        int span = cell.IsHuge || cell.Operations.Any(operation => operation.NeedsHugePage) ? PairCell.PagesOfHuge : freesTables ? Math.Max(2, pages) : pages;
        return new MachineOptions
        {
            Cpus = cell.Cpus,
            Devices = cell.Bystander is Bystander.Device or Bystander.NewDevice ? 1 : 0,
            Levels = freesTables || twoTables ? 2 : 1,
            EntriesPerTable = twoTables ? PairCell.EntriesOfNeighbours : span,
            Tables = freesTables || twoTables
                ? 3 + (faults ? 1 : 0) + cell.Operations.Count(operation => operation.FreesTables) + ((twoTables ? 3 : 2) * Spaces(cell))
                : 1 + Spaces(cell),
            Frames = span * (1 + cell.Operations.Sum(operation => operation.FramesHeld)
                + (cell.Bystander == Bystander.Reclaim || HandlesSecondaryFaults(cell) || OtherStores(cell) || faults || cell.Kind == PageKind.PrivateFile ? 1 : 0)),
            FrameColours = destinations > 0 ? 1 : span,
            Asids = cell.Bystander == Bystander.Switching ? 2 : 1,
            AccessedBit = cell.Bystander == Bystander.Dirtying,
            Tlb = setup.Tlb,
            Model = setup.Model,
            MovableTables = kernel.MremapTables,
            GracePeriods = kernel.RcuTableFree || cell.Operations.Any(operation => operation.NeedsGracePeriods),
        };
    }

    /// <summary>Address spaces besides the first.</summary>
    private static int Spaces(PairCell cell)
        => cell.Operations.Count(operation => operation.HasChild) + (cell.Bystander == Bystander.Switching ? 1 : 0)
            + (cell.Kind is PageKind.CopyOnWrite or PageKind.HugeCopyOnWrite or PageKind.Hugetlb ? 1 : 0)
            + (cell.EndsProcess && cell.Bystander == Bystander.Lazy ? 1 : 0);

    private static void Add(Stage stage, int index, MmOperation operation, OperationCall call, bool mayStop)
    {
        Cpu cpu = stage.Cpu(index);
        if (!operation.IsKernelThread)
        {
            stage.Kernel.BuildRunning(cpu, call.Mm);
        }

        stage.Machine.AddAgent(operation.Role, AgentKind.Task, cpu, mayStop, () => operation.Run(call));
    }

    private static void AddBystander(Stage stage, PairCell cell, int index)
    {
        Cpu cpu = stage.Cpu(index);
        (KernelModel kernel, Mm mm) = stage;
        switch (cell.Bystander)
        {
            case Bystander.Busy when Faults(cell):
                kernel.BuildRunning(cpu, mm);
                stage.Machine.AddAgent(
                    "user", AgentKind.Task, cpu, cell.Operations.Any(one => one.MayLeaveOthersWaiting), () => Stage.StorePages(kernel, cpu, mm, cell.Pages));
                break;
            case Bystander.Dirtying:
                stage.AddThread(index, "user", () => LoadAndStore(cpu, cell.Pages));
                break;
            case Bystander.Busy:
                stage.AddThread(index, "user", () => StoreOnce(cpu, cell.Kind == PageKind.Huge ? cell.Pages - 1 : 0, cell.Pages));
                break;
            case Bystander.Lazy when cell.EndsProcess:
                kernel.BuildLazy(cpu, mm);
                Mm next = kernel.NewMm("next", 1, mmapWriters: false);
                stage.Machine.AddTask(cpu, "kthread", () => SwitchTo(kernel, cpu, next));
                break;
            case Bystander.Lazy:
                stage.AddThread(index, "kthread", () => GoLazy(kernel, cpu, mm, cell.Pages));
                break;
            case Bystander.Sharer when cell.IsHuge:
                kernel.BuildRunning(cpu, kernel.Mms[1]);
                stage.Machine.AddTask(cpu, "other", () => GiveUp(kernel, cpu, kernel.Mms[1], cell.Pages));
                break;
            case Bystander.Sharer when OtherStores(cell):
                kernel.BuildRunning(cpu, kernel.Mms[1]);
                stage.Machine.AddTask(cpu, "other", () => Stage.StorePages(kernel, cpu, kernel.Mms[1], cell.Pages));
                break;
            case Bystander.Sharer:
                kernel.BuildRunning(cpu, kernel.Mms[1]);
                stage.Machine.AddTask(cpu, "other", () => LoadOnce(cpu, cell.Pages));
                break;
            case Bystander.Reclaim:
                ulong folios = cell.Operations
                    .Select((_, i) => Stage.MappedFrames(cell.RangeOf(i).Count) << cell.RangeOf(i).First)
                    .Aggregate((all, one) => all | one);
                stage.AddKernelThread(index, "reclaim", () => kernel.Reclaim.ShrinkFolioList(cpu, folios, true));
                break;
            default:
                Mm other = kernel.NewMm("other", 1, mmapWriters: false);
                stage.AddThread(index, "scheduler", () => SwitchAway(kernel, cpu, other, mm, cell.Pages));
                break;
        }
    }

    /// <summary>True if the bystander handles faults of something that has the process's memory.</summary>
    private static bool HandlesSecondaryFaults(PairCell cell) => !cell.EndsProcess
        && cell.Bystander is Bystander.Guest or Bystander.Mirror or Bystander.NewGuest or Bystander.NewMirror or Bystander.NewDevice;

    /// <summary>True if the other process stores too, so that both need copies of what they share: beside a store.</summary>
    private static bool OtherStores(PairCell cell) => cell is { Bystander: Bystander.Sharer, Kind: PageKind.CopyOnWrite }
        && cell.Operations.Any(operation => operation is UserStoreOperation);

    /// <summary>True if the busy thread handles its faults.</summary>
    private static bool Faults(PairCell cell)
        => cell.Operations.Any(operation => operation.BystanderFaults(cell.Operations)) && cell.Operations.All(operation => operation.PagesComeBack);

    /// <summary>Stores to each page, of a huge one to its last, but does not handle faults: those are operations of their own.</summary>
    private static async Proc StoreOnce(Cpu cpu, int first, int end)
    {
        for (int page = first; page < end; page++)
        {
            await cpu.AccessStore(page, 1);
        }
    }

    /// <summary>A CPU on which no thread of the process comes back: it keeps the page tables loaded until it has something else to run.</summary>
    private static async Proc SwitchTo(KernelModel kernel, Cpu cpu, Mm next) => await kernel.SwitchMm.SwitchTo(cpu, next);

    /// <summary>The load makes the entries look used; the store makes them dirty later, while somebody may be changing them.</summary>
    private static async Proc LoadAndStore(Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await cpu.AccessLoad(page);
        }

        await StoreOnce(cpu, 0, pages);
    }

    private static async Proc GiveUp(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.MmapLock.MmapReadLock(cpu, mm);
        await kernel.Truncate.ZapPageRangeSingle(cpu, mm, 0, pages);
        await kernel.MmapLock.MmapReadUnlock(cpu, mm);
    }

    private static async Proc GoLazy(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.LazyTlb.EnterLazyTlb(cpu);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await LoadOnce(cpu, pages);
    }

    private static async Proc SwitchAway(KernelModel kernel, Cpu cpu, Mm other, Mm mm, int pages)
    {
        await kernel.SwitchMm.SwitchTo(cpu, other);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await LoadOnce(cpu, pages);
    }

    private static async Proc LoadOnce(Cpu cpu, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await cpu.AccessTouch(page);
        }
    }
}
