using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>Which machines a matrix of operations consists of.</summary>
public static class PairMatrix
{
    /// <summary>
    /// Every two operations (an operation meets itself too), in every relation of their ranges, on every kind of memory that
    /// both work on, beside a busy CPU; on the same page also beside a lazy CPU and one that switches. Then every operation
    /// alone, on one page and on two, beside a guest and beside devices, some of which come and go: whoever forgets to tell them needs no partner.
    /// </summary>
    /// <param name="operations">The operations.</param>
    /// <param name="chosen">Operations of which a pair must have one; with two, it must have both. Empty for all.</param>
    public static IReadOnlyList<PairCell> Pairs(IReadOnlyList<MmOperation> operations, IReadOnlyList<MmOperation> chosen)
    {
        ArgumentNullException.ThrowIfNull(operations);
        return
        [
            .. Cells(Combinations(operations, 2), chosen, Enum.GetValues<RangeRelation>()),
            .. Alone(operations, chosen, RangeRelation.Same, Bystander.Guest),
            .. Alone(operations, chosen, RangeRelation.Overlapping, Bystander.Guest),
            .. Alone(operations, chosen, RangeRelation.Overlapping, Bystander.Device),
            .. Alone(operations, chosen, RangeRelation.NeighbouringTables, Bystander.Device),
            .. Alone(operations, chosen, RangeRelation.Same, Bystander.Mirror),
            .. Alone(operations, chosen, RangeRelation.Overlapping, Bystander.Mirror),
            .. Alone(operations, chosen, RangeRelation.Same, Bystander.NewGuest),
            .. Alone(operations, chosen, RangeRelation.Same, Bystander.NewMirror),
            .. Alone(operations, chosen, RangeRelation.Overlapping, Bystander.NewMirror),
            .. Alone(operations, chosen, RangeRelation.Same, Bystander.NewDevice),
            .. Alone(operations, chosen, RangeRelation.Same, Bystander.Lazy),
        ];
    }

    /// <summary>
    /// Every operation alone, on every kind of memory that it works on, beside a guest or a device with that memory, or one that comes and goes.
    /// Not on hugetlbfs, whose faults there are not.
    /// </summary>
    /// <param name="operations">The operations.</param>
    /// <param name="chosen">The operation that is asked for; empty for all.</param>
    /// <param name="relation">One page, two, or two whose entries are in two tables.</param>
    /// <param name="bystander">A guest or a device; a lazy CPU for what ends the process.</param>
    public static IReadOnlyList<PairCell> Alone(
        IReadOnlyList<MmOperation> operations, IReadOnlyList<MmOperation> chosen, RangeRelation relation, Bystander bystander)
    {
        ArgumentNullException.ThrowIfNull(operations);
        ArgumentNullException.ThrowIfNull(chosen);
        return
        [
            .. from operation in operations
               where chosen.All(one => one == operation)
               from kind in Enum.GetValues<PageKind>()
               where MeetsAlone(operation, kind, bystander)
               where operation.Meets(kind) && kind != PageKind.Hugetlb && !IsSpecial(kind)
                   && (relation == RangeRelation.Same || kind is not (PageKind.CopyOnWrite or PageKind.Huge or PageKind.HugeFile))
               where relation != RangeRelation.NeighbouringTables || (kind == PageKind.Anonymous && operation.DestinationPages(2) == 0)
               let cell = new PairCell([operation], relation, kind, bystander)
               where operation.Joins(cell)
               select cell,
        ];
    }

    /// <summary>
    /// What comes and goes beside an operation need meet no more than anonymous memory; nobody comes to a process that ends. HMM refuses a driver's
    /// memory. A CPU that is left with the process's page tables meets their end.
    /// </summary>
    private static bool MeetsAlone(MmOperation operation, PageKind kind, Bystander bystander) => bystander switch
    {
        Bystander.Lazy => operation.EndsProcess,
        Bystander.Mirror => kind != PageKind.Driver,
        Bystander.NewGuest or Bystander.NewMirror => kind == PageKind.Anonymous,
        Bystander.NewDevice => kind == PageKind.Anonymous && !operation.EndsProcess,
        _ => true,
    };

    /// <summary>
    /// Machines that are larger than those of the matrix, smallest first: for a bug that it does not show. Two operations on pages of
    /// neighbouring tables beside reclaim, and three operations on one page.
    /// </summary>
    /// <param name="operations">The operations.</param>
    /// <param name="chosen">Operations of which a machine must have one; empty for all.</param>
    public static IReadOnlyList<PairCell> Larger(IReadOnlyList<MmOperation> operations, IReadOnlyList<MmOperation> chosen)
    {
        ArgumentNullException.ThrowIfNull(operations);
        ArgumentNullException.ThrowIfNull(chosen);
        return
        [
            .. BesideReclaim(operations, []).Where(IsAsked),
            .. Triples(operations, []).Where(IsAsked).Where(cell => cell.Bystander == Bystander.Busy),
        ];

        bool IsAsked(PairCell cell) => chosen.Count == 0 || cell.Operations.Any(chosen.Contains);
    }

    /// <summary>Every three operations on the same page.</summary>
    public static IReadOnlyList<PairCell> Triples(IReadOnlyList<MmOperation> operations, IReadOnlyList<MmOperation> chosen)
    {
        ArgumentNullException.ThrowIfNull(operations);
        return Cells(Combinations(operations, 3), chosen, [RangeRelation.Same]);
    }

    private static PairCell[] Cells(
        IEnumerable<MmOperation[]> combinations, IReadOnlyList<MmOperation> chosen, IReadOnlyList<RangeRelation> relations)
        =>
        [
            .. from operations in combinations
               where chosen.All(operations.Contains)
               where operations.All(operation => operation.MeetsItself || operations.Count(other => other == operation) == 1)
               from kind in Enum.GetValues<PageKind>()
               where operations.All(operation => operation.Meets(kind))
               from relation in relations
               from bystander in Enum.GetValues<Bystander>()
               where IsWorthwhile(operations, relation, kind, bystander)
               let cell = new PairCell(operations, relation, kind, bystander)
               where operations.All(operation => operation.Joins(cell))
               select cell,
        ];

    /// <summary>Ranges, kinds of memory and bystanders are varied one at a time: what they bring about is independent.</summary>
    private static bool IsWorthwhile(MmOperation[] operations, RangeRelation relation, PageKind kind, Bystander bystander) => bystander switch
    {
        _ when kind is PageKind.HugeCopyOnWrite or PageKind.PrivateFile => MeetsCopies(operations, relation, kind, bystander),
        Bystander.Guest or Bystander.Mirror or Bystander.NewGuest or Bystander.NewMirror or Bystander.NewDevice => false,
        Bystander.Dirtying => MeetsFirstStore(operations, relation, kind),
        Bystander.Device => MeetsDevice(operations, relation, kind),
        Bystander.Sharer => MeetsSharer(operations, relation, kind),
        Bystander.Reclaim => false,
        Bystander.Busy when kind == PageKind.Huge => FitsHugePage(operations, relation),
        Bystander.Busy when kind == PageKind.UserfaultProtected => MeetsProtected(operations, relation),
        Bystander.Busy when kind == PageKind.HugeFile => FitsHugeFile(operations, relation),
        Bystander.Busy => relation == RangeRelation.Same
            || (relation != RangeRelation.NeighbouringTables && kind != PageKind.CopyOnWrite && !IsSpecial(kind)),
        _ => relation == RangeRelation.Same && kind is not (PageKind.CopyOnWrite or PageKind.Huge or PageKind.HugeFile) && !IsSpecial(kind),
    };

    /// <summary>
    /// Both operations work on the whole of the page; one at least looks at the huge entry itself. As many pages behind it are there for what
    /// moves.
    /// </summary>
    private static bool FitsHugePage(MmOperation[] operations, RangeRelation relation)
        => relation == RangeRelation.Same && operations.Length == 2 && !operations.All(operation => operation.SplitsHugePages)
            && operations.Sum(operation => operation.DestinationPages(PairCell.PagesOfHuge)) <= PairCell.PagesOfHuge;

    /// <summary>All of the huge page of a file; beside those that truncate or unmap the second half also that.</summary>
    private static bool FitsHugeFile(MmOperation[] operations, RangeRelation relation) => operations.Length == 2
        && (relation == RangeRelation.Same
            || (relation == RangeRelation.Overlapping && operations[1] is TruncateOperation or MunmapOperation));

    /// <summary>Somebody lifts the protection while another operation is under way.</summary>
    private static bool MeetsProtected(MmOperation[] operations, RangeRelation relation)
        => relation == RangeRelation.Same && operations.Length == 2 && operations.Any(operation => operation is UserfaultResolveOperation);

    /// <summary>Memory in a state that few operations make a difference for.</summary>
    private static bool IsSpecial(PageKind kind)
        => kind is PageKind.Referenced or PageKind.Hinted or PageKind.UserfaultProtected or PageKind.HugeCopyOnWrite or PageKind.PrivateFile;

    /// <summary>
    /// Who stores to what is mapped read-only gets a copy: of a page of a file beside a busy CPU, of a part of a huge page beside the process
    /// that shares it and gives it up.
    /// </summary>
    private static bool MeetsCopies(MmOperation[] operations, RangeRelation relation, PageKind kind, Bystander bystander)
        => relation == RangeRelation.Same && operations.Length == 2 && operations.Any(operation => operation is UserStoreOperation)
            && (kind == PageKind.PrivateFile ? bystander == Bystander.Busy : bystander == Bystander.Sharer && operations.All(MeetsSharedHugePage));

    /// <summary>Operations that look at a read-only huge entry as such, or take it away.</summary>
    private static bool MeetsSharedHugePage(MmOperation operation) => operation is GupSlowOperation or MprotectReadOnlyOperation
        or MprotectWritableOperation or MunmapOperation or UserfaultResolveOperation or UserLoadOperation or UserStoreOperation;

    /// <summary>
    /// A dirty bit that is lost shows when reclaim takes the page for clean. Anonymous pages that others may have too it writes in any case. Of a file
    /// these are pages of shmem: mapped writable by a load, and nothing but the entry's bit tells of the first store.
    /// </summary>
    private static bool MeetsFirstStore(MmOperation[] operations, RangeRelation relation, PageKind kind)
        => relation == RangeRelation.Same && kind is PageKind.Anonymous or PageKind.File or PageKind.HugeFile && operations.Length == 2
            && operations.Any(operation => operation is ReclaimOperation)
            && !operations.Aggregate(new KernelOptions(), (options, operation) => operation.Configure(options)).AnonFolios;

    /// <summary>Another process shows an operation that forgets CPUs of one of several address spaces: beside a thread of the first that loads.</summary>
    private static bool MeetsSharer(MmOperation[] operations, RangeRelation relation, PageKind kind)
        => relation == RangeRelation.Same && kind == PageKind.CopyOnWrite && operations.Length == 2
            && operations.Any(operation => operation is UserLoadOperation);

    /// <summary>
    /// A batch that covers entries of two tables is owed to two who hold different locks: so two that promise something meet it.
    /// </summary>
    /// <param name="operations">The operations.</param>
    /// <param name="chosen">Operations of which a pair must have all; empty for all.</param>
    public static IEnumerable<PairCell> BesideReclaim(IReadOnlyList<MmOperation> operations, IReadOnlyList<MmOperation> chosen)
        => from pair in Combinations(operations, 2)
           where chosen.All(pair.Contains) && pair.All(operation => operation.MeetsItself || pair[0] != pair[1])
           where pair.All(operation => operation.WorksOn(PageKind.Anonymous) && operation.RulesOutTranslations && operation.DestinationPages(1) == 0)
           select new PairCell(pair, RangeRelation.NeighbouringTables, PageKind.Anonymous, Bystander.Reclaim);

    /// <summary>
    /// A device shows an operation that forgets the secondary TLBs, whatever else runs: so each operation meets one beside a thread that
    /// stores, and on a driver's memory, which no thread of the matrix stores to, beside itself.
    /// </summary>
    private static bool MeetsDevice(MmOperation[] operations, RangeRelation relation, PageKind kind)
        => relation == RangeRelation.Same && operations.Length == 2 && !IsSpecial(kind)
            && (kind == PageKind.Driver ? operations[0] == operations[1] : operations.Any(operation => operation is UserStoreOperation));

    /// <summary>Combinations with repetition, in the order of the operations.</summary>
    private static IEnumerable<MmOperation[]> Combinations(IReadOnlyList<MmOperation> operations, int size, int from = 0)
    {
        if (size == 0)
        {
            yield return [];
            yield break;
        }

        for (int i = from; i < operations.Count; i++)
        {
            foreach (MmOperation[] rest in Combinations(operations, size - 1, i))
            {
                yield return [operations[i], .. rest];
            }
        }
    }
}
