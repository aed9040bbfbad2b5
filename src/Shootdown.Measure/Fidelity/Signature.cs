using System.Globalization;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A multiset of tlb_flush events: how often each pair of reason and pages argument was seen.</summary>
public sealed class Signature : IEquatable<Signature>
{
    private static readonly string[] Names = ["switch", "remote", "local", "localmm", "sendipi", "wrongcpu"];
    private readonly SortedDictionary<(int Reason, long Pages), int> _counts = [];

    /// <summary>True if it holds no event.</summary>
    public bool IsEmpty => _counts.Count == 0;

    /// <summary>
    /// Reads the form of the table, e.g. <c>localmm(1)x1 sendipi(1)x1</c>; <c>-</c> is none. Events of idle CPUs and of other processes
    /// (<c>remote@idle(1)x1</c>) count like the others. <c>switch(0)</c> is a switch that flushed nothing: no event.
    /// </summary>
    /// <exception cref="FormatException">It is not of that form.</exception>
    public static Signature Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var signature = new Signature();
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(word => word != "-"))
        {
            int open = word.IndexOf('(', StringComparison.Ordinal);
            int close = word.IndexOf(")x", StringComparison.Ordinal);
            string[] name = open < 0 ? [string.Empty] : word[..open].Split('@');
            int reason = Array.IndexOf(Names, name[0]);
            bool isOthers = name.Length == 2 && name[1] is "idle" or "other";
            if (reason < 0 || name.Length > 2 || (name.Length == 2 && !isOthers) || close < open
                || !long.TryParse(word[(open + 1)..close], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long pages)
                || !int.TryParse(word[(close + 2)..], NumberStyles.None, CultureInfo.InvariantCulture, out int count))
            {
                throw new FormatException($"the event '{word}' is not understood; expected e.g. localmm(1)x1 with one of {string.Join(", ", Names)}");
            }

            if ((TlbFlushReason)reason != TlbFlushReason.TaskSwitch || pages != 0)
            {
                signature.Add((TlbFlushReason)reason, pages, count);
            }
        }

        return signature;
    }

    /// <summary>Adds events.</summary>
    public void Add(TlbFlushReason reason, long pages, int count = 1)
    {
        (int, long) key = ((int)reason, pages);
        _counts[key] = _counts.GetValueOrDefault(key) + count;
    }

    /// <inheritdoc/>
    public bool Equals(Signature? other) => other is not null && _counts.SequenceEqual(other._counts);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Signature);

    /// <inheritdoc/>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => IsEmpty ? "-"
        : string.Join(' ', _counts.Select(pair => FormattableString.Invariant($"{Names[pair.Key.Reason]}({pair.Key.Pages})x{pair.Value}")));
}
