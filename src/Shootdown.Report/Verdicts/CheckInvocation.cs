using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>How a check was asked for, as far as it has to be repeated to run it again.</summary>
/// <param name="Target">A scenario's id, or the path of its file.</param>
/// <param name="Variant"><c>bug</c> or <c>fix</c>.</param>
/// <param name="Model">Memory model.</param>
/// <param name="ChangedBounds">Bounds that differ from the scenario's own.</param>
/// <param name="IsReplay">True if one schedule was run and nothing explored.</param>
public sealed record CheckInvocation(
    string Target, string Variant, string Model, IReadOnlyList<Bound> ChangedBounds, bool IsReplay = false)
{
    /// <summary>Bounds that have an option of their own; of the others <c>--bound</c> is said.</summary>
    public IReadOnlyList<string> ShortBounds { get; init; } = ["cpus", "pages"];

    private const string PlainInShell = "./_-+=:,@%";

    /// <summary>The command, if it is another one than <c>check</c>; null for that.</summary>
    public IReadOnlyList<string>? OwnWords { get; init; }

    /// <summary>The command as separate words, without the schedule.</summary>
    public IReadOnlyList<string> Words => OwnWords ??
    [
        "./shootdown check " + Quoted(Target),
        "--variant " + Variant,
        "--model " + Model,
        .. ChangedBounds.Select(bound =>
            ShortBounds.Contains(bound.Name) ? $"--{bound.Name} {bound.Value}" : $"--bound {bound.Name}={bound.Value}"),
    ];

    /// <summary>The command on one line.</summary>
    public string OneLine(string schedule) => $"{string.Join(' ', Words)} --schedule '{schedule}'";

    /// <summary>A word as a shell takes it.</summary>
    public static string Quoted(string path) => path.All(c => char.IsAsciiLetterOrDigit(c) || PlainInShell.Contains(c))
        ? path
        : $"'{path.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
