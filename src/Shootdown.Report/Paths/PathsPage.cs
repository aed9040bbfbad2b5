namespace Shootdown.Report;

/// <summary>A way on which operations reach a function.</summary>
/// <param name="Operations">Operations that take it.</param>
/// <param name="Calls">Functions from the system call to the function.</param>
/// <param name="Held">What is held when the function is entered.</param>
/// <param name="Atomic">True if nothing may sleep there.</param>
public sealed record PathEntry(IReadOnlyList<string> Operations, IReadOnlyList<string> Calls, string Held, bool Atomic);

/// <summary>What <c>paths</c> found: all ways to a function, and what they are worth.</summary>
public sealed record PathsPage
{
    /// <summary>The function.</summary>
    public required string Function { get; init; }

    /// <summary>The ways, by calls.</summary>
    public required IReadOnlyList<PathEntry> Paths { get; init; }

    /// <summary>Machines that were run.</summary>
    public required int Machines { get; init; }

    /// <summary>States of all machines.</summary>
    public required long States { get; init; }

    /// <summary>Machines that were not run to their end.</summary>
    public required IReadOnlyList<string> Cut { get; init; }

    /// <summary>Calls that the code contains and no run made.</summary>
    public required IReadOnlyList<string> Unseen { get; init; }

    /// <summary>Functions that reach it and that no operation runs.</summary>
    public required IReadOnlyList<string> NotRun { get; init; }

    /// <summary>Writes it as text.</summary>
    public void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        int atomic = Paths.Count(path => path.Atomic);
        writer.WriteLine($"{Function}() is reached on {Counted(Paths.Count, "path")} by "
            + $"{Counted(Paths.SelectMany(path => path.Operations).Distinct().Count(), "operation")}; "
            + $"{(atomic == 0 ? "on none of them" : $"on {atomic} of them")} in atomic context.");
        foreach (PathEntry path in Paths)
        {
            writer.WriteLine();
            writer.WriteLines(Paragraph.Wrap(string.Join(", ", path.Operations), "  ", "  "));
            writer.WriteLines(Paragraph.Wrap(string.Join(" > ", path.Calls), "    ", "      "));
            writer.WriteLines(Paragraph.Wrap($"with {path.Held}{(path.Atomic ? "   <-- must not sleep" : string.Empty)}", "    ", "      "));
        }

        writer.WriteLine();
        writer.WriteLines(Paragraph.Wrap($"Seen in {Counted(Machines, "machine")} ({Quantity.Exact(States)} states): every operation alone and beside a user "
            + "thread, on every kind of memory that it works on, with a notifier.", string.Empty, string.Empty));
        WriteList(writer, Cut, "Not run to the end:");
        WriteList(writer, Unseen, "Calls in the code that no run made:");
        WriteList(writer, NotRun, "Not run, because no operation of the library calls it:");
    }

    private static string Counted(int count, string noun) => $"{Quantity.Exact(count)} {noun}{(count == 1 ? string.Empty : "s")}";

    private static void WriteList(TextWriter writer, IReadOnlyList<string> items, string head)
    {
        if (items.Count > 0)
        {
            writer.WriteLines(Paragraph.Wrap($"{head} {string.Join("; ", items)}.", string.Empty, "  "));
        }
    }
}

/// <summary>The JSON document of <c>paths --json</c>.</summary>
internal sealed record PathsDocument(string Schema, string Version, PathsPage Result);
