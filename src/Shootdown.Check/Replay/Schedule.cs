using System.Globalization;
using System.Text;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>A schedule cannot be replayed: the message says where and why.</summary>
public sealed class ScheduleException(string message) : Exception(message);

/// <summary>
/// A run as text: runs of steps of one agent, separated by dots. <c>2</c> is one step of agent 2, <c>2x5</c> five, <c>2:1</c> one step in
/// its second way.
/// </summary>
public static class Schedule
{
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
