using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>The live line of a long exploration.</summary>
public static class ProgressText
{
    private const string Exploring = "exploring";

    /// <summary>
    /// E.g. <c>states 12.3 M  1.4 M/s  depth 412  mem 512 MB  00:12</c>; phases other than exploring are named in front.
    /// </summary>
    /// <param name="now">The latest snapshot.</param>
    /// <param name="statesPerSecond">Rate since the last line.</param>
    public static string Line(CheckProgress now, double statesPerSecond)
    {
        string phase = now.Phase is Exploring or "" ? string.Empty : now.Phase + "  ";
        string unit = now.Phase == CheckProgress.RandomRuns ? "runs" : "states";
        return $"{phase}{unit} {Quantity.Rounded(now.States)}  {Quantity.Rounded(statesPerSecond)}/s  depth {now.Depth}  "
            + $"mem {Quantity.Bytes(now.TableBytes)}  {Quantity.Clock(now.ElapsedSeconds)}";
    }
}
