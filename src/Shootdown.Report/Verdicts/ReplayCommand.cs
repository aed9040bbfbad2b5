using System.Text;

namespace Shootdown.Report;

/// <summary>
/// The command that replays a run, broken into lines that survive a mail and can still be pasted into a shell. A schedule
/// that is too long for one line is broken inside its quotes; the command line takes line breaks out again.
/// </summary>
public static class ReplayCommand
{
    private const string Continuation = " \\";
    private const string BreakAfter = ",;./";

    /// <summary>Lines from <paramref name="first"/> on, the following ones indented below it.</summary>
    public static IReadOnlyList<string> Lines(CheckInvocation invocation, string schedule, string first, string rest)
    {
        string option = $"--schedule '{schedule}'";
        var lines = new List<string>();
        var line = new StringBuilder(first);
        bool isEmpty = true;
        foreach (string word in invocation.Words.Append(option))
        {
            if (!isEmpty && line.Length + 1 + word.Length + Continuation.Length > Paragraph.MailWidth)
            {
                lines.Add(line.Append(Continuation).ToString());
                line.Clear().Append(rest);
                isEmpty = true;
            }

            line.Append(isEmpty ? string.Empty : " ").Append(word);
            isEmpty = false;
        }

        AddBroken(lines, line.ToString(), rest);
        return lines;
    }

    /// <summary>Takes out the line breaks (and the indentation after them) that a pasted schedule contains.</summary>
    public static string Joined(string schedule)
        => string.Concat(schedule.Split('\n').Select((line, i) => i == 0 ? line.TrimEnd('\r') : line.Trim('\r', ' ', '\t')));

    private static void AddBroken(List<string> lines, string line, string rest)
    {
        while (line.Length > Paragraph.MailWidth)
        {
            int cut = Paragraph.MailWidth;
            int after = line.LastIndexOfAny(BreakAfter.ToCharArray(), cut - 1);
            cut = after > rest.Length + 1 && after > cut / 2 ? after + 1 : cut;
            while (cut > rest.Length + 1 && (line[cut] == ' ' || line[cut - 1] == ' '))
            {
                cut--;
            }

            lines.Add(line[..cut]);
            line = rest + line[cut..];
        }

        lines.Add(line);
    }
}
