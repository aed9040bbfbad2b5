namespace Shootdown.Catalogue;

/// <summary>Which machines a matrix of operations consists of.</summary>
public static class PairMatrix
{
    /// <summary>
    /// Every two operations (an operation meets itself too), in every relation of their ranges, on every kind of memory that
    /// both work on, beside a busy CPU; on the same page also beside a lazy CPU and one that switches. Then every operation
    /// alone beside a guest: whoever forgets to tell notifiers needs no partner.
    /// </summary>
    /// <param name="operations">The operations.</param>
    /// <param name="chosen">Operations of which a pair must have one; with two, it must have both. Empty for all.</param>
    public static IReadOnlyList<PairCell> Pairs(IReadOnlyList<MmOperation> operations, IReadOnlyList<MmOperation> chosen)
    {
        ArgumentNullException.ThrowIfNull(operations);
        return [.. Cells(Combinations(operations, 2), chosen, Enum.GetValues<RangeRelation>()), .. BesideGuests(operations, chosen)];
    }

    /// <summary>
    /// Every operation alone, on every kind of memory that it works on, beside a CPU that runs a guest with that memory. Not on hugetlbfs,
    /// whose faults there are not.
    /// </summary>
    public static IReadOnlyList<PairCell> BesideGuests(IReadOnlyList<MmOperation> operations, IReadOnlyList<MmOperation> chosen)
    {
        ArgumentNullException.ThrowIfNull(operations);
        ArgumentNullException.ThrowIfNull(chosen);
        return
        [
            .. from operation in operations
               where chosen.All(one => one == operation)
               from kind in Enum.GetValues<PageKind>()
               where operation.Meets(kind) && kind != PageKind.Hugetlb
               select new PairCell([operation], RangeRelation.Same, kind, Bystander.Guest),
        ];
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
               where bystander == Bystander.Device
                   ? MeetsDevice(operations, relation, kind) : IsWorthwhile(relation, kind, bystander)
               select new PairCell(operations, relation, kind, bystander),
        ];

    /// <summary>Ranges, kinds of memory and bystanders are varied one at a time: what they bring about is independent.</summary>
    private static bool IsWorthwhile(RangeRelation relation, PageKind kind, Bystander bystander)
        => bystander != Bystander.Guest && (bystander == Bystander.Busy || relation == RangeRelation.Same)
            && (kind != PageKind.CopyOnWrite || (bystander == Bystander.Busy && relation == RangeRelation.Same));

    /// <summary>
    /// A device shows an operation that forgets the secondary TLBs, whatever else runs: so each operation meets one beside a thread that
    /// stores, and on a driver's memory, which no thread of the matrix stores to, beside itself.
    /// </summary>
    private static bool MeetsDevice(MmOperation[] operations, RangeRelation relation, PageKind kind)
        => relation == RangeRelation.Same && operations.Length == 2
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
