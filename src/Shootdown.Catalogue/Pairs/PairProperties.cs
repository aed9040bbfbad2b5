using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What is judged on the machine of a cell.</summary>
internal static class PairProperties
{
    /// <summary>The properties, in the order in which reports list them.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="stage">Its machine, with all programs.</param>
    /// <param name="setup">Which kernel.</param>
    /// <param name="hasSecondaryTable">True if somebody beside has a page table of its own.</param>
    internal static IReadOnlyList<Property> Of(PairCell cell, Stage stage, PairSetup setup, bool hasSecondaryTable)
    {
        KernelModel kernel = stage.Kernel;
        var knowledge = new KernelFlushKnowledge(kernel);
        return
        [
            new PRet(knowledge: knowledge),
            new PLife(knowledge) { CopiesFrozen = kernel.Options.HugeFiles },
            WriteOf(kernel, cell, setup),
            .. Copies(cell, kernel),
            .. Sharing(cell, kernel),
            .. Removals(cell),
            .. Marks(kernel, cell),
            .. Kept(kernel, cell),
            .. hasSecondaryTable ? [new PSecondary { Folios = FoliosOf(kernel) }] : Array.Empty<Property>(),
            .. stage.Machine.PinRequests.Count > 0 ? [new PPin(judgesSharing: true)] : Array.Empty<Property>(),
            LeftOf(stage, cell),
            new Assertions(),
        ];
    }

    private static Property[] Copies(PairCell cell, KernelModel kernel) => kernel.Options.HugeFiles ? [new PCopy()]
        : kernel.Options.AnonFolios ? [new PCopy(everyStore: !DiscardsPrivateFile(cell))] : [];

    private static Property[] Sharing(PairCell cell, KernelModel kernel) => cell.Kind == PageKind.PrivateFile ? [new PCow(kernel.PageCache)]
        : kernel.Mms.Count > 1 && (IsAnonymous(cell) || cell.Kind == PageKind.Hugetlb) ? [new PCow()] : [];

    private static Property[] Removals(PairCell cell)
        => cell.Operations.Any(operation => operation.HidesPages) && IsAnonymous(cell) && cell.Bystander == Bystander.Busy ? [new PGone()] : [];

    private static Property[] Marks(KernelModel kernel, PairCell cell) =>
    [
        .. kernel.Options.UserfaultWp ? [new PUserfault(judgesWhatIsLeft: cell.Operations.All(KeepsMarks))] : Array.Empty<Property>(),
        .. kernel.Options.SoftDirty ? [new PSoftDirty(kernel.PageCache)] : Array.Empty<Property>(),
    ];

    private static bool IsAnonymous(PairCell cell)
        => cell.Kind is not (PageKind.File or PageKind.HugeFile or PageKind.PrivateFile or PageKind.Driver or PageKind.Hugetlb);

    /// <summary>
    /// True if a page of a file that a store made a copy of may be discarded: the next store makes another one, while stores through a stale
    /// translation may go on to the first, which is no loss.
    /// </summary>
    private static bool DiscardsPrivateFile(PairCell cell) => cell.Kind == PageKind.PrivateFile
        && cell.Operations.Any(operation => operation.Promises == PromiseKind.Removed || operation is TruncateOperation);

    /// <summary>
    /// P-write; where munmap and its like can take a page from under reclaim that would write it: small pages with counts meet that on their machines
    /// only beside a third operation, or where the whole kernel counts them.
    /// </summary>
    private static PWrite WriteOf(KernelModel kernel, PairCell cell, PairSetup setup) => new(kernel.PageCache)
    {
        Folios = FoliosOf(kernel),
        ReclaimMeetsDiscarded = cell.Kind is PageKind.Huge or PageKind.HugeCopyOnWrite || setup.Options.AnonFolios
            || (cell.Operations.Count > 2 && kernel.Options.AnonFolios),
    };

    private static PLeft LeftOf(Stage stage, PairCell cell)
    {
        KernelModel kernel = stage.Kernel;
        HashSet<int> readOnly = [.. ReadOnlyPages(cell)];
        return new PLeft(kernel.PageCache, (space, page) => !IsDrivers(space, page), (space, page) => kernel.CountsMappings(MmOf(space), page))
        {
            AtRest = [.. AtRest(kernel)],
            Folios = FoliosOf(kernel),
            Deposited = kernel.Options.HugeCollapse ? [.. kernel.Mms.SelectMany(mm => mm.Deposited)] : [],
            Allowed = (state, space, page) => Allowed(state, MmOf(space), page, readOnly),
            JudgesFrames = !cell.Operations.Any(operation => operation.LeavesReferences),
        };

        Mm MmOf(AddressSpace space) => kernel.Mms.First(mm => mm.Space == space);
        bool IsDrivers(AddressSpace space, int page) => MmOf(space).FileAreaOf(page)?.Kind == FileAreaKind.PfnMap;
    }

    private static IEnumerable<RestingWord> AtRest(KernelModel kernel) =>
    [
        .. kernel.Mms.Select(mm => new RestingWord(mm.TlbFlushPending, value => value == 0, "more flushes began than ended, or fewer")),
        .. kernel.Mms.Select(mm => new RestingWord(mm.WriteProtectSeq, value => value % 2 == 0, "a section that changes something is still open")),
        .. kernel.Mms.Select(mm => mm.Intervals?.ActiveInvalidateRanges).OfType<Word>()
            .Select(word => new RestingWord(word, value => value == 0, "more invalidations began than ended, or fewer")),
        .. kernel.UnmapBatches.Select(batch => new RestingWord(batch.FlushRequired, value => value == 0, "the batch was not flushed")),
        .. kernel.TlbStates.Select(cpu => new RestingWord(
            cpu.LoadedMm, value => value != KernelModel.LoadedMmSwitching, "the CPU is for ever between two address spaces")),
    ];

    private static bool KeepsMarks(MmOperation operation) => operation.KeepsContents && operation.Promises != PromiseKind.StoresAllowed;

    /// <summary>What the areas allow; where mprotect has made a page read-only, and nobody makes it writable again, that too.</summary>
    private static (bool Mapped, bool Written) Allowed(MachineState state, Mm mm, int page, HashSet<int> readOnly)
    {
        var areas = new VmAreas(mm.HasMmapWriters ? state.Read(mm.Vmas.Address) : mm.Machine.WordInfo(mm.Vmas.Address).Initial);
        return (areas.Covers(page, 1), areas.Allows(page, true) && !(mm.Index == 0 && readOnly.Contains(page)));
    }

    private static IEnumerable<int> ReadOnlyPages(PairCell cell) => cell.Operations.Any(operation => operation is MprotectWritableOperation) ? []
        : from i in Enumerable.Range(0, cell.Operations.Count)
          where cell.Operations[i] is MprotectReadOnlyOperation
          from page in Enumerable.Range(cell.RangeOf(i).First, cell.RangeOf(i).Count)
          select page;

    /// <summary>Pages of the process, and of a child that got all of them, that nobody gives up.</summary>
    private static Property[] Kept(KernelModel kernel, PairCell cell)
    {
        if (!IsAnonymous(cell) || cell.Kind == PageKind.HugeCopyOnWrite || !cell.Operations.All(operation => operation.KeepsContents))
        {
            return [];
        }

        var pages = from mm in kernel.Mms
                    where mm.Index == 0 || (cell.Relation == RangeRelation.Same && IsForked(cell, mm))
                    from page in Enumerable.Range(0, cell.Pages)
                    select (mm.Space, page);
        return [new PKept([.. pages])];
    }

    private static bool IsForked(PairCell cell, Mm mm) => mm.Name == "child"
        || Enumerable.Range(0, cell.Operations.Count).Any(i => cell.Operations[i] is ForkOperation && mm.Name == PairModel.ChildName(i));

    /// <summary>Says which frames are a huge folio of a file.</summary>
    private static IReadOnlyList<Word> FoliosOf(KernelModel kernel)
        => kernel.Options.HugeFiles ? [.. kernel.Folios.Select(folio => folio.CompoundHead)] : [];
}
