using System.Text.RegularExpressions;

namespace Shootdown.Report;

/// <summary>Reads and shortens texts of the form <c>spin_lock(ptl)</c>.</summary>
internal static partial class CallText
{
    /// <summary><c>ptep_get_and_clear(0x1000)</c> becomes <c>ptep_get_and_clear()</c>; other parentheses stay.</summary>
    public static string WithoutArguments(string text) => Arguments().Replace(text, "$1()");

    /// <summary>
    /// The text that ends what this one begins (<c>spin_lock(ptl)</c>: <c>spin_unlock(ptl)</c>, <c>x++</c>: <c>x--</c>),
    /// or null if it begins nothing. Follows the kernel's naming, so that no list of locks has to be kept.
    /// </summary>
    public static string? Closer(string text)
    {
        if (text.EndsWith("++", StringComparison.Ordinal))
        {
            return text[..^2] + "--";
        }

        int open = text.IndexOf('(');
        if (open <= 0)
        {
            return null;
        }

        string closer = CloserOfFunction(text[..open]);
        return closer.Length == 0 ? null : closer + text[open..];
    }

    /// <summary>What a lock call locks, whichever of its functions it is: the text between the parentheses.</summary>
    public static string ObjectOf(string text)
    {
        int open = text.IndexOf('(');
        return open > 0 && text.EndsWith(')') ? text[(open + 1)..^1] : text.TrimEnd('+', '-');
    }

    /// <summary>True for locks that several may hold at once: they delimit nothing unless somebody writes.</summary>
    public static bool IsShared(string text)
        => text.StartsWith("down_read", StringComparison.Ordinal) || text.StartsWith("read_lock", StringComparison.Ordinal)
            || text.StartsWith("rcu_read_lock", StringComparison.Ordinal);

    /// <summary>True for what begins or ends a window and says nothing else.</summary>
    public static bool IsDelimiter(string text)
        => Closer(text) is not null || text.EndsWith("--", StringComparison.Ordinal) || Ending().IsMatch(text);

    private static string CloserOfFunction(string name)
    {
        foreach ((string opens, string closes) in Pairs)
        {
            if (name.Contains(opens, StringComparison.Ordinal))
            {
                return name.Replace(opens, closes, StringComparison.Ordinal)
                    .Replace("irqsave", "irqrestore", StringComparison.Ordinal);
            }
        }

        return string.Empty;
    }

    private static readonly (string Opens, string Closes)[] Pairs =
    [
        ("pte_offset_map_lock", "pte_unmap_unlock"),
        ("lock_page", "unlock_page"),
        ("_unlock", string.Empty),
        ("_trylock", string.Empty),
        ("_lock", "_unlock"),
        ("down_", "up_"),
        ("_disable", "_enable"),
        ("_save", "_restore"),
        ("_range_start", "_range_end"),
        ("inc_", "dec_"),
    ];

    [GeneratedRegex(@"(\w)\([^()]+\)")]
    private static partial Regex Arguments();

    [GeneratedRegex(@"^up_|unlock|_enable|_restore|_range_end|^dec_")]
    private static partial Regex Ending();
}
