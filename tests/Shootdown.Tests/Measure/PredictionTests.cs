using System.Globalization;
using Shootdown.Measure;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Measure;

/// <summary>
/// Totals predicted from system calls, faults and switches against what the kernel recorded. The page that states the errors
/// is held to them.
/// </summary>
public sealed class PredictionTests
{
    private const double ErrorMax = 0.02;

    /// <summary>TLB interrupts come from the kernel's own counter, which also counts what the tracer causes outside of the trace.</summary>
    private const int TracerInterruptsMax = 4;

    public static TheoryData<string, string, int> Traces => new()
    {
        { "multi61-mix1-40-1", "6.1", 5 },
        { "multi61-mix2-40-1", "6.1", 105 },
        { "multi61-mix4-40-1", "6.1", 669 },
        { "multi61-mix4-40-3", "6.1", 587 },
        { "multi61-mix8-40-2", "6.1", 3057 },
        { "multi612-mix1-40-1", "6.12", 6 },
        { "multi612-mix2-40-1", "6.12", 93 },
        { "multi612-mix4-40-1", "6.12", 678 },
        { "multi612-mix8-40-1", "6.12", 3119 },
    };

    [Theory]
    [MemberData(nameof(Traces))]
    public void Predicted_totals_are_within_two_percent_of_the_recorded_ones(string name, string kernel, int interrupts)
    {
        if (PathOf(name) is not { } path)
        {
            Assert.Skip($"{name} is not in the repository; SHOOTDOWN_TRACES can name a folder that has it");
            return;
        }

        PredictionRow row = Predict(path, kernel);
        FlushCounts recorded = row.Recorded!;
        Within(recorded.LocalMm, row.Predicted.LocalMm, 0);
        Within(recorded.SendIpi, row.Predicted.SendIpi, 0);
        Within(recorded.Remote, row.Predicted.Remote, 0);
        Within(interrupts, row.Predicted.Interrupts!.Value, TracerInterruptsMax);

        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {Cell(row.Predicted.LocalMm, recorded.LocalMm)} | {Cell(row.Predicted.SendIpi, recorded.SendIpi)} "
            + $"| {Cell(row.Predicted.Remote, recorded.Remote)} | {Cell(row.Predicted.Interrupts.Value, interrupts)} |");
        Assert.Contains(line, Repository.Read("docs/replay.md"), StringComparison.Ordinal);
    }

    /// <summary>What record wrote on Linux 6.1 and 6.12: all that ran there, the recorder included, with its kernel, its settings and its counter of interrupts.</summary>
    [Theory]
    [InlineData("recorded61-attach")]
    [InlineData("recorded61-mix8-20-22")]
    [InlineData("recorded61-shell")]
    [InlineData("recorded612-attach")]
    [InlineData("recorded612-dotnet")]
    [InlineData("recorded612-mix8-20-22")]
    [InlineData("recorded612-shell")]
    public void A_recording_of_ours_is_predicted_without_being_told_anything(string name)
    {
        using TraceReader reader = TraceReader.Open(TraceText.PathOf($"{name}.gz"));
        PredictionRow row = Replayer.Run(reader, name, new ReplayOptions()).Prediction!;
        Assert.Empty(TraceText.Problems(reader));
        (FlushCounts predicted, FlushCounts recorded) = (row.Predicted, row.Recorded!);
        long interrupts = reader.TlbInterrupts!.Value;
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {Cell(predicted.LocalMm, recorded.LocalMm)} | {Cell(predicted.SendIpi, recorded.SendIpi)} "
            + $"| {Cell(predicted.Remote, recorded.Remote)} | {Cell(predicted.Interrupts!.Value, interrupts)} |");
        Assert.Contains(line, Repository.Read("docs/replay.md"), StringComparison.Ordinal);

        // A handful of flushes is the recorder's own, of memory that it had mapped before.
        const int own = 6;
        Within(recorded.LocalMm, predicted.LocalMm, own);
        Within(recorded.SendIpi, predicted.SendIpi, own);
        Within(recorded.Remote, predicted.Remote, own * 2);
    }

    private static string? PathOf(string name)
    {
        string file = $"{name}.trace-cmd.txt.gz";
        string[] places =
        [
            TraceText.PathOf(file),
            name == "multi612-mix4-40-1" ? Repository.PathOf("examples/mix4.trace-cmd.txt.gz") : "",
            Path.Combine(Environment.GetEnvironmentVariable("SHOOTDOWN_TRACES") ?? "", $"qemu-{file}"),
        ];
        return places.FirstOrDefault(File.Exists);
    }

    private static PredictionRow Predict(string path, string kernel)
    {
        using TraceReader reader = TraceReader.Open(path);
        var options = new ReplayOptions { Selection = new ReplaySelection(null, "mix"), Kernel = TimedProfile.All.Single(p => p.Name == kernel) };
        return Replayer.Run(reader, path, options).Prediction!;
    }

    private static void Within(long recorded, long predicted, int slack)
        => Assert.True(Math.Abs(predicted - recorded) <= recorded * ErrorMax + slack, $"predicted {predicted}, recorded {recorded}");

    private static string Cell(long predicted, long recorded)
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{predicted} / {recorded}{(predicted == recorded ? "" : $" ({100.0 * (predicted - recorded) / Math.Max(1, recorded):+0.0;-0.0} %)")}");
}
