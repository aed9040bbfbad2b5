using System.Globalization;
using System.Text;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>A schedule cannot be replayed: the message says where and why.</summary>
public sealed class ScheduleException(string message) : Exception(message);

/// <summary>
/// A run as text: runs of steps of one agent, separated by dots. <c>2</c> is one step of agent 2, <c>2x5</c> five, <c>2:1</c> one step in
/// its second way. Behind a <c>/</c> stand the steps that repeat for ever.
/// </summary>
public static class Schedule
{
    private const char CycleMark = '/';

    /// <summary>Writes a run that goes on for ever: its steps, the last of which repeat.</summary>
    /// <param name="steps">All steps.</param>
    /// <param name="cycleStart">Steps before those that repeat; null if none do.</param>
    public static string Format(IReadOnlyList<Step> steps, int? cycleStart)
        => cycleStart is { } start ? Format([.. steps.Take(start)]) + CycleMark + Format([.. steps.Skip(start)]) : Format(steps);

    /// <summary>Writes a run.</summary>
    public static string Format(IReadOnlyList<Step> steps)
    {
        ArgumentNullException.ThrowIfNull(steps);
        var text = new StringBuilder();
        for (int i = 0; i < steps.Count;)
        {
            int same = 1;
            while (i + same < steps.Count && steps[i + same] == steps[i])
            {
                same++;
            }

            text.Append(i == 0 ? string.Empty : ".").Append(CultureInfo.InvariantCulture, $"{steps[i].Agent}");
            if (steps[i].Alternative != 0)
            {
                text.Append(CultureInfo.InvariantCulture, $":{steps[i].Alternative}");
            }

            if (same > 1)
            {
                text.Append(CultureInfo.InvariantCulture, $"x{same}");
            }

            i += same;
        }

        return text.ToString();
    }

    /// <summary>Reads a run, and how many steps stand before those that repeat for ever; null if none do.</summary>
    /// <exception cref="ScheduleException">The text is not a schedule of this machine.</exception>
    public static (IReadOnlyList<Step> Steps, int? CycleStart) ParseRun(string text, MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(text);
        int mark = text.IndexOf(CycleMark, StringComparison.Ordinal);
        if (mark < 0)
        {
            return (Parse(text, machine), null);
        }

        IReadOnlyList<Step> stem = Parse(text[..mark], machine);
        IReadOnlyList<Step> cycle = Parse(text[(mark + 1)..], machine);
        return cycle.Count > 0
            ? ([.. stem, .. cycle], stem.Count)
            : throw new ScheduleException($"nothing stands behind the '{CycleMark}' of the schedule: expected the steps that repeat for ever");
    }

    /// <summary>Reads a run.</summary>
    /// <exception cref="ScheduleException">The text is not a schedule of this machine.</exception>
    public static IReadOnlyList<Step> Parse(string text, MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(machine);
        var steps = new List<Step>();
        foreach (string part in text.Split('.', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int repeatAt = part.IndexOf('x', StringComparison.Ordinal);
            string head = repeatAt < 0 ? part : part[..repeatAt];
            int wayAt = head.IndexOf(':', StringComparison.Ordinal);
            int agent = Number(wayAt < 0 ? head : head[..wayAt], part, machine.Agents.Count - 1);
            int way = wayAt < 0 ? 0 : Number(head[(wayAt + 1)..], part, ushort.MaxValue);
            int repeat = repeatAt < 0 ? 1 : Number(part[(repeatAt + 1)..], part, 1_000_000);
            steps.AddRange(Enumerable.Repeat(new Step((byte)agent, (ushort)way), repeat));
        }

        return steps;
    }

    private static int Number(string text, string part, int max)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value <= max
            ? value
            : throw new ScheduleException($"'{part}' is not a part of a schedule: expected AGENT[:WAY][xTIMES] with numbers up to {max}");
}
