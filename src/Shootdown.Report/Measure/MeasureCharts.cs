using System.Globalization;
using Shootdown.Measure;

namespace Shootdown.Report;

/// <summary>One figure of runs for each policy: against the number of CPUs, or as bars if there is one number.</summary>
internal static class MeasureCharts
{
    private const int Width = 1000;
    private const int LabelBase = 4;
    private const int LabelHeight = 14;

    /// <summary>Draws it.</summary>
    /// <param name="runs">Runs of one workload.</param>
    /// <param name="value">The figure.</param>
    /// <param name="text">The figure in words.</param>
    /// <param name="isBytes">True if the figure is bytes, whose units are powers of 1024.</param>
    public static string Draw(IReadOnlyList<Measurement> runs, Func<Measurement, double> value, Func<double, string> text, bool isBytes)
        => runs.Select(run => run.Cpus).Distinct().Count() > 1 ? Curves(runs, value, text, isBytes) : Bars(runs, value, text);

    private static string Curves(IReadOnlyList<Measurement> runs, Func<Measurement, double> value, Func<double, string> text, bool isBytes)
    {
        const int left = 80;
        const int right = 230;
        const int top = 12;
        const int height = 300;
        int[] cpus = [.. runs.Select(run => run.Cpus).Distinct().Order()];
        string[] policies = [.. runs.Select(run => run.Policy).Distinct()];
        double highest = isBytes ? NiceBytesAbove(runs.Max(value)) : NiceAbove(runs.Max(value));
        var svg = new Svg(Width, Math.Max(top + height + 40, top + (policies.Length * LabelHeight) + 20));
        double X(int index) => left + ((Width - left - right) * (double)index / (cpus.Length - 1));
        double Y(double figure) => top + height - (height * figure / highest);
        const int steps = 4;
        for (int step = 0; step <= steps; step++)
        {
            svg.Line(left, Y(highest * step / steps), Width - right, Y(highest * step / steps));
            svg.Text(left - 8, Y(highest * step / steps) + LabelBase, text(highest * step / steps), "end");
        }

        for (int i = 0; i < cpus.Length; i++)
        {
            svg.Text(X(i), top + height + 18, cpus[i].ToString(CultureInfo.InvariantCulture), "middle");
        }

        svg.Text((left + Width - right) / 2.0, top + height + 34, "CPUs", "middle", "small");
        var ends = new List<(double Y, int Policy)>();
        for (int policy = 0; policy < policies.Length; policy++)
        {
            Measurement[] points = [.. runs.Where(run => run.Policy == policies[policy]).OrderBy(run => run.Cpus)];
            svg.Curve(
                [.. points.Select(run => (X(Array.IndexOf(cpus, run.Cpus)), Y(value(run))))], Colour(policy),
                [.. points.Select(run => $"{run.Policy}, {run.Cpus} CPUs: {text(value(run))}")]);
            ends.Add((Y(value(points[^1])), policy));
        }

        WriteLabels(svg, ends, policies, Width - right + 12, top, top + height);
        return svg.ToString();
    }

    /// <summary>Names at the ends of the curves, in the order of the ends, moved apart where they would overlap.</summary>
    private static void WriteLabels(Svg svg, List<(double Y, int Policy)> ends, string[] policies, double x, double top, double bottom)
    {
        (double Y, int Policy)[] sorted = [.. ends.OrderBy(end => end.Y)];
        var places = new double[sorted.Length];
        double next = top;
        for (int i = 0; i < sorted.Length; i++)
        {
            places[i] = Math.Max(sorted[i].Y, next);
            next = places[i] + LabelHeight;
        }

        double limit = Math.Max(bottom, top + ((sorted.Length - 1) * LabelHeight));
        for (int i = sorted.Length - 1; i >= 0; i--)
        {
            places[i] = Math.Min(places[i], limit);
            limit = places[i] - LabelHeight;
            svg.Rectangle(x, places[i] - 5, 10, 10, Colour(sorted[i].Policy));
            svg.Text(x + 16, places[i] + LabelBase, policies[sorted[i].Policy]);
        }
    }

    private static string Bars(IReadOnlyList<Measurement> runs, Func<Measurement, double> value, Func<double, string> text)
    {
        const int rowHeight = 22;
        const int nameWidth = 170;
        const int numberWidth = 110;
        double highest = Math.Max(runs.Max(value), double.Epsilon);
        var svg = new Svg(Width, (runs.Count * rowHeight) + 6);
        for (int row = 0; row < runs.Count; row++)
        {
            double length = (Width - nameWidth - numberWidth) * value(runs[row]) / highest;
            double y = (row * rowHeight) + 4;
            svg.Text(nameWidth - 10, y + 12, runs[row].Policy, "end");
            svg.Rectangle(nameWidth, y, Math.Max(1, length), rowHeight - 6, Colour(row), $"{runs[row].Policy}: {text(value(runs[row]))}");
            svg.Text(nameWidth + length + 6, y + 12, text(value(runs[row])), style: "small");
        }

        return svg.ToString();
    }

    private static string Colour(int series) => $"c{series % HtmlPage.Colours}";

    /// <summary>The least power of two that is not below the value, and a quarter of which is a whole number of its unit.</summary>
    private static double NiceBytesAbove(double value)
    {
        const double kilobyte = 1024;
        double highest = 4;
        for (double unit = kilobyte; highest < value; highest *= 2)
        {
            // Behind 1 kB comes 4 kB: half a kilobyte is not written.
            (highest, unit) = highest == unit ? (2 * highest, kilobyte * unit) : (highest, unit);
        }

        return highest;
    }

    /// <summary>The least of 1, 2, 4, 6 and 8 times a power of ten that is not below the value.</summary>
    private static double NiceAbove(double value)
    {
        if (value <= 0)
        {
            return 1;
        }

        double power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        return power * new[] { 1, 2, 4, 6, 8, 10 }.First(factor => factor * power >= value * 0.999_999);
    }
}
