using System.Globalization;
using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Measures costs on this machine and writes a cost file.</summary>
internal sealed class CalibrateCommand(CliHost host, string? file)
{
    /// <summary>Runs it and returns the exit code.</summary>
    public int Run()
    {
        if (!OperatingSystem.IsLinux())
        {
            host.Error.WriteLine("shootdown: calibrate needs Linux");
            return ExitCode.Unsupported;
        }

        using var interruption = new CancellationTokenSource();
        using IDisposable? listening = host.OnInterrupt(interruption.Cancel);
        IReadOnlyList<CalibrationRow> rows;
        try
        {
            rows = Calibration.Run(interruption.Token);
        }
        catch (OperationCanceledException)
        {
            host.Error.WriteLine("shootdown: interrupted: nothing is written");
            return ExitCode.Inconclusive;
        }

        TextWriter log = file is null ? host.Error : host.Out;
        var table = new NumberTable("median of 400", "ns", "10 %", "90 %", "default machine") { NameWidthMax = 52 };
        foreach (CalibrationRow row in rows)
        {
            table.Add(row.Name, Number(row.MedianNs), Number(row.LowNs), Number(row.HighNs), Number(row.ReferenceNs));
        }

        table.Write(log, "");
        if (!rows.Any(row => row.Name.Contains("one CPU", StringComparison.Ordinal)))
        {
            log.WriteLine("Only one CPU may be used: nothing about interrupts was measured.");
        }

        foreach (string contradiction in CalibratedCosts.Contradictions(rows))
        {
            host.Error.WriteLines(Paragraph.Wrap($"shootdown: {contradiction}", "", "  ", 100));
        }

        using var costs = new MemoryStream();
        IReadOnlyList<string> kept = CalibratedCosts.Write(rows, CalibratedCosts.Describe(), costs);
        log.WriteLine();
        log.WriteLines(Paragraph.Wrap($"Not measured, as in costs/default.json: {string.Join(", ", kept)}", "", "  ", 100));

        return Save(costs);
    }

    private int Save(MemoryStream costs)
    {
        if (file is null)
        {
            host.Out.WriteLine(System.Text.Encoding.UTF8.GetString(costs.ToArray()));
            return ExitCode.Pass;
        }

        using (OutputStream output = OutputStream.Create("--out", file))
        {
            output.Write([.. costs.ToArray(), (byte)'\n']);
        }

        host.Out.WriteLine($"written: {file}");
        return ExitCode.Pass;
    }

    private static string Number(double ns) => ns.ToString("#,0", CultureInfo.InvariantCulture);
}
