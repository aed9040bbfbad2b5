using System.Text;

namespace Shootdown.Report;

/// <summary>
/// Reads and shortens texts of the form <c>spin_lock(ptl)</c>. By hand: regular expressions would take longer to load than
/// the whole diagram takes to draw.
/// </summary>
internal static class CallText
{
    private static readonly Pair[] Pairs =
    [
        new("pte_offset_map_lock", "pte_unmap_unlock"),
        new("lock_page", "unlock_page"),
        new("_unlock", string.Empty),
        new("_trylock", string.Empty),
        new("_lock", "_unlock"),
        new("down_", "up_"),
        new("_disable", "_enable"),
        new("_save", "_restore"),
        new("_range_start", "_range_end"),
        new("inc_", "dec_"),
    ];

    private static readonly string[] Endings = ["unlock", "_enable", "_restore", "_range_end"];

    private static readonly string[] Levels = ["pte", "pmd", "pud", "p4d", "pgd"];

    /// <summary><c>ptep_get_and_clear(0x1000)</c> becomes <c>ptep_get_and_clear()</c>; other parentheses stay.</summary>
    public static string WithoutArguments(string text)
    {
        var brief = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            brief.Append(text[i]);
            int close = text[i] == '(' && i > 0 && IsWord(text[i - 1]) ? text.IndexOfAny(['(', ')'], i + 1) : -1;
            if (close > 0 && text[close] == ')')
            {
                brief.Append(')');
                i = close;
            }
        }

        return brief.ToString();
    }

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
        string closer = open > 0 ? CloserOfFunction(text[..open]) : string.Empty;
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
        => Closer(text) is not null || text.EndsWith("--", StringComparison.Ordinal)
            || text.StartsWith("up_", StringComparison.Ordinal) || text.StartsWith("dec_", StringComparison.Ordinal)
            || Array.Exists(Endings, ending => text.Contains(ending, StringComparison.Ordinal));

    /// <summary>
    /// Level and address of the page-table entry that a call is about: <c>pte 0x1000</c> for
    /// <c>set_pte_at(0x1000, none)</c>. Null for other texts.
    /// </summary>
    public static string? EntryOf(string text)
    {
        int open = text.IndexOf('(');
        if (open <= 0 || !text.AsSpan(0, open).ToString().All(IsWord))
        {
            return null;
        }

        string? level = Array.Find(Levels, name => text.AsSpan(0, open).Contains(name, StringComparison.Ordinal));
        int end = text.IndexOfAny([',', ')'], open);
        return level is null || end < 0 ? null : $"{level} {text[(open + 1)..end]}";
    }

    /// <summary>The word that a text reads (<c>read mm.tlb_gen</c>); null if it reads none.</summary>
    public static string? WordRead(string text)
        => text.StartsWith("read ", StringComparison.Ordinal) ? text["read ".Length..] : null;

    /// <summary>The word that a text changes (<c>x = 1</c>, <c>x |= 2</c>, <c>x++</c>); null if it changes none.</summary>
    public static string? WordWritten(string text)
    {
        if (text.StartsWith('['))
        {
            return null;
        }

        if (text.EndsWith("++", StringComparison.Ordinal) || text.EndsWith("--", StringComparison.Ordinal))
        {
            return text[..^2];
        }

        int equals = text.IndexOf("= ", StringComparison.Ordinal);
        return equals <= 0 ? null : text[..equals].TrimEnd('|', '&', '+', '-', ' ');
    }

    private static string CloserOfFunction(string name)
    {
        Pair? pair = Array.Find(Pairs, candidate => name.Contains(candidate.Opens, StringComparison.Ordinal));
        return pair is null || pair.Closes.Length == 0
            ? string.Empty
            : name.Replace(pair.Opens, pair.Closes, StringComparison.Ordinal).Replace("irqsave", "irqrestore", StringComparison.Ordinal);
    }

    private static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    /// <summary>A part of a function's name and what stands in its place in the name of the function that ends it.</summary>
    private sealed record Pair(string Opens, string Closes);
}
