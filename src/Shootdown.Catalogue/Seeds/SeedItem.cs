using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>What came out of an item of a seed mail.</summary>
public enum SeedVerdict
{
    /// <summary>What the mail says is so, within the bounds.</summary>
    Holds,

    /// <summary>What the mail says is not so: there is a run against it.</summary>
    Refuted,

    /// <summary>It is so under conditions; the answer names them.</summary>
    Depends,

    /// <summary>A run did not end, or what is needed does not exist; the answer says which.</summary>
    Undecided,
}

/// <summary>The answer to an item, computed from its runs.</summary>
/// <param name="Verdict">The verdict.</param>
/// <param name="Text">One sentence of at most 160 characters: why.</param>
public sealed record SeedAnswer(SeedVerdict Verdict, string Text)
{
    /// <summary>Tables that the answer rests on, in order.</summary>
    public IReadOnlyList<SeedTable> Tables { get; init; } = [];
}

/// <summary>A table for a reader: cells are text.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Columns">Heads.</param>
/// <param name="Rows">Rows of as many cells as there are heads.</param>
public sealed record SeedTable(string Title, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows);

/// <summary>
/// One claim or question of the five mails that the catalogue starts from, as something to run. An item is one class and joins
/// <c>./shootdown seeds</c> by itself. Its answer is a function of what its runs returned and of nothing else.
/// </summary>
public abstract class SeedItem
{
    /// <summary>E.g. <c>S000-14</c>: mail, then number.</summary>
    public abstract string Id { get; }

    /// <summary>Lines of the mail, e.g. <c>67-73</c>.</summary>
    public abstract string Lines { get; }

    /// <summary>What the mail says or asks, in own words; one sentence of at most 110 characters.</summary>
    public abstract string Claim { get; }

    /// <summary>What one would expect beforehand.</summary>
    public abstract SeedVerdict Expected { get; }

    /// <summary>How the question was put to the machine: a paragraph for those who look at the item in full.</summary>
    public abstract string Experiment { get; }

    /// <summary>
    /// Where the answer is not <see cref="Expected"/>, or is another one than the mail's: what was wrong, and why. Empty if there is nothing
    /// to say.
    /// </summary>
    public virtual string Remark => string.Empty;

    /// <summary>What is run.</summary>
    public abstract IReadOnlyList<SeedRun> Runs { get; }

    /// <summary>
    /// The answer. Called only if every run that <see cref="SeedRun.MustDecide"/> ended with a verdict; else the item is undecided.
    /// </summary>
    /// <param name="results">What the runs returned, by name.</param>
    public abstract SeedAnswer Judge(SeedResults results);
}

/// <summary>What the runs of an item returned.</summary>
/// <param name="runs">The results in the order of the runs.</param>
public sealed class SeedResults(IReadOnlyList<SeedRunResult> runs)
{
    /// <summary>All, in the order of <see cref="SeedItem.Runs"/>.</summary>
    public IReadOnlyList<SeedRunResult> Runs { get; } = runs;

    /// <summary>The result of a run.</summary>
    /// <exception cref="KeyNotFoundException">The item has no such run.</exception>
    public SeedRunResult this[string name] => Runs.FirstOrDefault(run => run.Name == name)
        ?? throw new KeyNotFoundException($"there is no run '{name}'; there are {string.Join(", ", Runs.Select(run => run.Name))}");

    /// <summary>True if the run violated something.</summary>
    public bool Violated(string name) => this[name].Verdict == Verdict.Violation;

    /// <summary>True if the run was exhaustive and clean.</summary>
    public bool Passed(string name) => this[name].Verdict == Verdict.Pass;
}
