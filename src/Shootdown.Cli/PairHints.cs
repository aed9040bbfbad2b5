using Shootdown.Catalogue;

namespace Shootdown.Cli;

/// <summary>What to say when the matrix does not find a bug that is switched on.</summary>
internal static class PairHints
{
    /// <summary>The hints.</summary>
    /// <param name="bug">The scenario of the bug; null if there is none.</param>
    /// <param name="patches">Ids of the patches that are applied.</param>
    /// <param name="search">What larger machines showed; null if none was tried.</param>
    public static IEnumerable<string> NotFound(Scenario? bug, IReadOnlyList<string> patches, PairSearch? search)
    {
        if (bug is not null)
        {
            string bounds = string.Join(", ", bug.Parameters.Select(parameter => $"{parameter.Name} {parameter.Default}"));
            yield return $"the bug of {bug.Id}: no machine of this size shows it. Its scenario does, with {bounds}: ./shootdown check {bug.Id}";
        }

        if (search is not null)
        {
            string what = bug is null ? string.Join(" and ", patches) : "the bug";
            yield return search switch
            {
                { Reaching.Count: 0 } => $"no operation of the library comes to the functions that {what} replaces: it needs one of its own (docs/operation.md)",
                { Shown: { } cell } => $"a larger machine shows it: {cell.Name} ({cell.Around})",
                _ => $"{search.Tried} of {search.Larger} larger machines were tried (two operations beside reclaim on neighbouring tables, or three "
                    + $"on one page; one of {search.Reaching.Count} comes to what {what} replaces): none shows it",
            };
        }
    }
}
