using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>Where the columns of a diagram stand.</summary>
/// <param name="Offsets">First position of each column, the margin included.</param>
/// <param name="Widths">Room of each column.</param>
/// <param name="Cost">How much of the rows is lost, as <see cref="FittedRow.Cost"/>.</param>
internal sealed record DiagramLayout(IReadOnlyList<int> Offsets, IReadOnlyList<int> Widths, double Cost)
{
    /// <summary>Spaces left of every line.</summary>
    public const int Margin = 2;

    /// <summary>More columns than this do not fit beside each other.</summary>
    public const int ColumnsMax = 3;

    private const int Gap = 2;
    private const int WidthMin = 10;
    private const double CostOfSecondHeaderRow = 3;
    private const double CostOfCutHeader = 50;

    /// <summary>A column may move this many positions before losing an argument would be better.</summary>
    private const double PositionsWorthAnArgument = 20;

    /// <summary>Where columns stand when their texts leave the choice.</summary>
    private static readonly int[][] UsualOffsets = [[2], [2, 34], [2, 26, 50]];

    /// <summary>The offsets at which least of the rows is lost; near the usual ones if that makes no difference.</summary>
    public static DiagramLayout Find(IReadOnlyList<TraceColumn> columns, IReadOnlyList<DiagramRow> rows)
    {
        int[] usual = UsualOffsets[columns.Count - 1];
        double[][,] costs =
        [
            .. columns.Select((column, i) =>
                CostTable(column, rows.Where(row => row.Column == i), usual[i], isLast: i == columns.Count - 1)),
        ];
        int[] best = usual;
        double least = double.MaxValue;
        foreach (int[] offsets in Candidates(columns.Count))
        {
            double cost = 0;
            for (int i = 0; i < offsets.Length; i++)
            {
                cost += costs[i][offsets[i], WidthOf(offsets, i)];
            }

            if (cost < least)
            {
                least = cost;
                best = offsets;
            }
        }

        var widths = new int[best.Length];
        for (int i = 0; i < widths.Length; i++)
        {
            widths[i] = WidthOf(best, i);
        }

        return new DiagramLayout(best, widths, least);
    }

    /// <summary>A row in its place.</summary>
    public FittedRow Fit(DiagramRow row)
        => new RowFitter(row).Fit(Widths[row.Column], Paragraph.MailWidth - Offsets[row.Column]);

    /// <summary>The header of a column on one line.</summary>
    public static string HeaderOf(TraceColumn column) => column.Role.Length == 0 ? column.Name : $"{column.Name} ({column.Role})";

    /// <summary>
    /// What a column loses at every offset and width that it can have: the first one stands at the margin, the last one
    /// ends with the line.
    /// </summary>
    private static double[,] CostTable(TraceColumn column, IEnumerable<DiagramRow> rows, int usualOffset, bool isLast)
    {
        RowFitter[] fitters = [.. rows.Select(row => new RowFitter(row))];
        var costs = new double[Paragraph.MailWidth, Paragraph.MailWidth];
        int lastOffset = usualOffset == Margin ? Margin : Paragraph.MailWidth - WidthMin;
        for (int offset = Margin; offset <= lastOffset; offset++)
        {
            int lineWidth = Paragraph.MailWidth - offset;
            for (int width = isLast ? lineWidth : WidthMin; width <= lineWidth; width++)
            {
                double cost = HeaderCost(column, width) + (Math.Abs(offset - usualOffset) / PositionsWorthAnArgument);
                foreach (RowFitter fitter in fitters)
                {
                    cost += fitter.Cost(width, lineWidth);
                }

                costs[offset, width] = cost;
            }
        }

        return costs;
    }

    private static double HeaderCost(TraceColumn column, int width)
        => HeaderOf(column).Length <= width ? 0
            : Math.Max(column.Name.Length, column.Role.Length + 2) <= width ? CostOfSecondHeaderRow : CostOfCutHeader;

    private static int WidthOf(int[] offsets, int column)
        => column + 1 < offsets.Length ? offsets[column + 1] - Gap - offsets[column] : Paragraph.MailWidth - offsets[column];

    private static IEnumerable<int[]> Candidates(int columns)
    {
        const int First = Margin + WidthMin + Gap;
        const int Last = Paragraph.MailWidth - WidthMin;
        if (columns == 1)
        {
            yield return [Margin];
            yield break;
        }

        for (int second = First; second <= Last; second++)
        {
            if (columns == 2)
            {
                yield return [Margin, second];
                continue;
            }

            for (int third = second + WidthMin + Gap; third <= Last; third++)
            {
                yield return [Margin, second, third];
            }
        }
    }
}
