using Shootdown.Measure;
using static Shootdown.Report.ReplayWords;

namespace Shootdown.Report;

/// <summary>The pictures of a replay.</summary>
internal static class ReplayCharts
{
    private const int Width = 1000;
    private const int Left = 70;
    private const int LabelBase = 4;
    private const int CpusMax = 64;
    private const int CausesMax = 16;

    /// <summary>A row for each CPU: shootdowns that begin there above its line, flushes in its interrupts below.</summary>
    public static string Timeline(TimelineData data)
    {
        const int rowHeight = 44;
        const int half = 18;
        const int bottom = 30;
        int[] cpus = [.. Enumerable.Range(0, data.Sent.Count).Where(cpu => data.Sent[cpu].Sum() + data.Received[cpu].Sum() > 0).Take(CpusMax)];
        int used = 1 + Enumerable.Range(0, cpus.Length == 0 ? 0 : data.Sent[0].Length)
            .LastOrDefault(bucket => cpus.Any(cpu => data.Sent[cpu][bucket] + data.Received[cpu][bucket] > 0));
        double step = (double)(Width - Left) / used;
        long highest = Math.Max(1, cpus.Max(cpu => Math.Max(data.Sent[cpu].Max(), data.Received[cpu].Max())));
        var svg = new Svg(Width, cpus.Length * rowHeight + bottom);
        for (int row = 0; row < cpus.Length; row++)
        {
            double middle = row * rowHeight + rowHeight / 2.0;
            svg.Text(Left - 8, middle + LabelBase, $"CPU {cpus[row]}", "end");
            for (int bucket = 0; bucket < used; bucket++)
            {
                Bar(svg, data.Sent[cpus[row]][bucket], true, bucket, middle);
                Bar(svg, data.Received[cpus[row]][bucket], false, bucket, middle);
            }

            svg.Line(Left, middle, Width, middle);
        }

        Axis(svg, used * data.BucketNs, cpus.Length * rowHeight + 8);
        return svg.ToString();

        void Bar(Svg picture, long count, bool isSent, int bucket, double middle)
        {
            if (count == 0)
            {
                return;
            }

            double height = Math.Max(1.5, half * Math.Sqrt((double)count / highest));
            string tip = $"{Time(bucket * data.BucketNs)}: {count} {(isSent ? "shootdowns begin" : "interrupts")}";
            picture.Rectangle(Left + bucket * step, isSent ? middle - height : middle, Math.Max(step, 0.8), height, isSent ? "sent" : "received", tip);
        }
    }

    /// <summary>A square for each pair of CPUs: rows interrupt columns.</summary>
    public static string Heat(IReadOnlyList<long[]> heat)
    {
        int[] cpus = [.. Enumerable.Range(0, heat.Count).Where(cpu => heat[cpu].Sum() + heat.Sum(row => row[cpu]) > 0).Take(CpusMax)];
        double cell = Math.Clamp(560.0 / Math.Max(1, cpus.Length), 10, 52);
        const int top = 26;
        long highest = Math.Max(1, cpus.Max(from => cpus.Max(to => heat[from][to])));
        var svg = new Svg(Left + cpus.Length * cell + 160, top + cpus.Length * cell + 10);
        for (int row = 0; row < cpus.Length; row++)
        {
            svg.Text(Left - 8, top + (row + 0.5) * cell + LabelBase, $"CPU {cpus[row]}", "end");
            if (cell >= 20)
            {
                svg.Text(Left + (row + 0.5) * cell, top - 8, $"{cpus[row]}", "middle");
            }

            for (int column = 0; column < cpus.Length; column++)
            {
                long count = heat[cpus[row]][cpus[column]];
                string tip = $"CPU {cpus[row]} interrupts CPU {cpus[column]}: {Quantity.Exact(count)}";
                svg.Rectangle(Left + column * cell, top + row * cell, cell - 1, cell - 1,
                    count == 0 ? "none" : "heat", tip, count == 0 ? 1 : 0.12 + 0.88 * count / highest);
                if (cell >= 30 && count > 0)
                {
                    string style = count * 2 > highest ? "onheat" : "label";
                    svg.Text(Left + (column + 0.5) * cell, top + (row + 0.5) * cell + LabelBase, Quantity.Rounded(count), "middle", style);
                }
            }
        }

        svg.Text(Left + cpus.Length * cell + 12, top + 12, "row interrupts column");
        return svg.ToString();
    }

    /// <summary>A bar for each cause: interrupted CPUs, and flushes of the initiator behind them.</summary>
    public static string Causes(IReadOnlyList<CauseRow> causes)
    {
        const int rowHeight = 38;
        const int nameWidth = 240;
        const int numberWidth = 190;
        CauseRow[] shown = [.. causes.Take(CausesMax)];
        long highest = Math.Max(1, shown.Max(cause => Math.Max(cause.Remote, cause.Flushes)));
        double scale = (double)(Width - nameWidth - numberWidth) / highest;
        var svg = new Svg(Width, shown.Length * rowHeight + 4);
        for (int row = 0; row < shown.Length; row++)
        {
            CauseRow cause = shown[row];
            double top = row * rowHeight + 6;
            svg.Text(nameWidth - 10, top + 17, cause.Cause, "end");
            svg.Rectangle(nameWidth, top, Math.Max(1, cause.Remote * scale), 13, "received", $"{Quantity.Exact(cause.Remote)} CPUs interrupted");
            svg.Text(nameWidth + cause.Remote * scale + 6, top + 11, $"{Quantity.Exact(cause.Remote)} interrupted", style: "small");
            svg.Rectangle(nameWidth, top + 15, Math.Max(1, cause.Flushes * scale), 9, "sent", $"{Quantity.Exact(cause.Flushes)} flushes");
            svg.Text(nameWidth + cause.Flushes * scale + 6, top + 24,
                $"{Quantity.Exact(cause.Flushes)} flushes, {Quantity.Exact(cause.Full)} full", style: "small");
        }

        return svg.ToString();
    }

    /// <summary>A bar for each flush design: interrupts, and what threads lose behind them.</summary>
    public static string Policies(PolicyTable table)
    {
        const int rowHeight = 38;
        const int nameWidth = 180;
        const int numberWidth = 220;
        double room = Width - nameWidth - numberWidth;
        double interrupts = room / Math.Max(1, table.Rows.Max(row => row.Costs.Interrupts));
        double time = room / Math.Max(1, table.Rows.Max(row => row.Costs.TotalNs));
        var svg = new Svg(Width, table.Rows.Count * rowHeight + 4);
        for (int i = 0; i < table.Rows.Count; i++)
        {
            PolicyRow row = table.Rows[i];
            double top = i * rowHeight + 6;
            string sent = $"{Quantity.Exact(row.Costs.Interrupts)} interrupts";
            string lost = $"{Time(row.Costs.TotalNs)} in calls, handlers and refills";
            svg.Text(nameWidth - 10, top + 17, row.Name, "end");
            svg.Rectangle(nameWidth, top, Math.Max(1, row.Costs.Interrupts * interrupts), 13, "received", $"{sent}: {row.Summary}");
            svg.Text(nameWidth + row.Costs.Interrupts * interrupts + 6, top + 11, sent, style: "small");
            svg.Rectangle(nameWidth, top + 15, Math.Max(1, row.Costs.TotalNs * time), 9, "sent", lost);
            svg.Text(nameWidth + row.Costs.TotalNs * time + 6, top + 24, lost, style: "small");
        }

        return svg.ToString();
    }

    private static void Axis(Svg svg, long endNs, double top)
    {
        const int marks = 5;
        for (int mark = 0; mark <= marks; mark++)
        {
            double x = Left + (Width - Left) * (double)mark / marks;
            svg.Line(x, top - 6, x, top);
            svg.Text(mark == marks ? x - 2 : x, top + 14, Time(endNs * mark / marks), mark == 0 ? "start" : mark == marks ? "end" : "middle", "small");
        }
    }
}
