using Shootdown.Catalogue;

namespace Shootdown.Cli;

/// <summary>What to try when the matrix does not find a bug that is switched on.</summary>
internal static class PairHints
{
    /// <summary>The hints; none if no bug was switched on.</summary>
    public static IEnumerable<string> NotFound(Scenario? bug, bool triples)
    {
        if (bug is null)
        {
            yield break;
        }

        string bounds = string.Join(", ", bug.Parameters.Select(parameter => $"{parameter.Name} {parameter.Default}"));
        yield return $"the bug of {bug.Id}: no machine of this size shows it. Its scenario does, with {bounds}: ./shootdown check {bug.Id}";
        if (!triples)
        {
            yield return "it may need a third operation: --triples";
        }
    }
}
