namespace Shootdown.Report;

/// <summary>A row cut to a width.</summary>
/// <param name="Lines">One line as a rule; further ones hold what found no room beside the text.</param>
/// <param name="Cost">How much was lost: 0 if all of it stands on one line in its column.</param>
internal sealed record FittedRow(IReadOnlyList<string> Lines, double Cost);

/// <summary>
/// Cuts a row to the width of a column. It gives up, in this order: arguments, old values, notes on the same line, the
/// column's right border (no other column has anything on that line), one line. Words are never cut. Made once a row,
/// because the search for the best columns asks for the cost at every width.
/// </summary>
internal sealed class RowFitter
{
    /// <summary>Columns of one level of nesting.</summary>
    public const int IndentWidth = 2;

    /// <summary>The arrow of a decisive row.</summary>
    public const string Arrow = "<--";

    private const int ArrowRoom = 4;
    private const int NarrowWidth = 28;
    private const double CostOfOwnLine = 4;
    private const double CostOfSpill = 8;
    private const double CostOfSpilledPosition = 0.5;
    private const double CostOfWrap = 20;
    private const double CostOfOverflow = 200;

    private readonly DiagramRow _row;
    private readonly string _indent;
    private readonly string _deeper;
    private readonly int _arrowRoom;

    /// <summary>Text and notes on one line, the fullest form first.</summary>
    private readonly string[] _withEvents;

    /// <summary>The text alone, the fullest form first.</summary>
    private readonly string[] _alone;

    public RowFitter(DiagramRow row)
    {
        _row = row;
        _indent = new string(' ', row.Depth * IndentWidth);
        _deeper = _indent + new string(' ', IndentWidth);
        _arrowRoom = row.IsDecisive ? ArrowRoom : 0;
        _withEvents = RowText.Forms(row, _indent, row.Events);
        _alone = row.Events.Count == 0 ? _withEvents : RowText.Forms(row, _indent, []);
    }

    /// <summary>How much is lost at a width.</summary>
    public double Cost(int width, int lineWidth)
    {
        double cost = 0;
        if (OneLine(width, lineWidth, ref cost, out bool eventsBelow) is null)
        {
            return Fit(width, lineWidth).Cost;
        }

        for (int i = 0; eventsBelow && i < _row.Events.Count; i++)
        {
            int length = _deeper.Length + _row.Events[i].Length;
            if (length > lineWidth)
            {
                return Fit(width, lineWidth).Cost;
            }

            cost += SpillCost(length, width);
        }

        return cost;
    }

    /// <summary>The fullest form of the row that fits.</summary>
    /// <param name="width">Room of the column.</param>
    /// <param name="lineWidth">Room up to the end of the line, across the columns to the right.</param>
    public FittedRow Fit(int width, int lineWidth)
    {
        var lines = new List<string>();
        double cost = 0;
        if (OneLine(width, lineWidth, ref cost, out bool eventsBelow) is { } line)
        {
            lines.Add(line);
        }
        else
        {
            lines.AddRange(Wrap(_alone[^1].TrimStart(), _indent, width - _arrowRoom));
            cost = (CostOfWrap * lines.Count) + Overflow(lines, width - _arrowRoom);
        }

        if (eventsBelow)
        {
            foreach (string hardware in _row.Events)
            {
                AddEvent(lines, hardware, width, lineWidth, ref cost);
            }
        }

        return new FittedRow(lines, cost);
    }

    /// <summary>The text's line, if one will do; null if it has to be wrapped.</summary>
    private string? OneLine(int width, int lineWidth, ref double cost, out bool eventsBelow)
    {
        eventsBelow = false;
        if (First(_withEvents, width - _arrowRoom, ref cost) is { } full)
        {
            return full;
        }

        eventsBelow = true;
        cost = CostOfOwnLine;
        if (First(_alone, width - _arrowRoom, ref cost) is { } alone)
        {
            return alone;
        }

        string shortest = _alone[^1];
        cost = CostOfOwnLine + SpillCost(shortest.Length, width - _arrowRoom);
        return shortest.Length <= lineWidth - _arrowRoom ? shortest : null;
    }

    private static string? First(string[] forms, int room, ref double cost)
    {
        foreach (string form in forms)
        {
            if (form.Length <= room)
            {
                return form;
            }

            cost++;
        }

        return null;
    }

    private void AddEvent(List<string> lines, string hardware, int width, int lineWidth, ref double cost)
    {
        int length = _deeper.Length + hardware.Length;
        if (length <= lineWidth)
        {
            cost += SpillCost(length, width);
            lines.Add(_deeper + hardware);
            return;
        }

        IReadOnlyList<string> wrapped = Wrap(hardware, _deeper, lineWidth);
        cost += (CostOfWrap * (wrapped.Count - 1)) + Overflow(wrapped, lineWidth);
        lines.AddRange(wrapped);
    }

    private static double SpillCost(int length, int width)
        => length <= width ? 0 : CostOfSpill + (CostOfSpilledPosition * (length - width));

    /// <summary>Wraps at words; a closing bracket stays with the word before it.</summary>
    private static IReadOnlyList<string> Wrap(string text, string indent, int width)
    {
        string hanging = indent + new string(' ', width < NarrowWidth ? IndentWidth : 2 * IndentWidth);
        string glued = text.Replace(" ]", $"{Paragraph.Glue}]", StringComparison.Ordinal)
            .Replace("[ ", $"[{Paragraph.Glue}", StringComparison.Ordinal);
        return Paragraph.Wrap(glued, indent, hanging, width);
    }

    private static double Overflow(IReadOnlyList<string> lines, int width)
        => CostOfOverflow * lines.Count(line => line.Length > width);
}
