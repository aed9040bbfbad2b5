namespace Shootdown.Machine;

/// <summary>What the value of a word names; a permutation of CPUs and pages changes such values.</summary>
public enum WordMeaning
{
    /// <summary>A number that names no CPU, page or frame.</summary>
    Plain,

    /// <summary>0 for nobody, else 1 + the index of a CPU: the word of a lock.</summary>
    CpuOwner,

    /// <summary>A set of CPUs, one bit each.</summary>
    CpuSet,

    /// <summary>A page-table entry (<see cref="Pte"/>).</summary>
    Entry,

    /// <summary>A set of translations of one page.</summary>
    Translations,

    /// <summary>0 for none, else 1 + a page.</summary>
    PageNumber,
}

/// <summary>
/// Whose word it is: one of a family that has a word for every CPU, pair of CPUs or page. A permutation of CPUs and pages
/// takes it to the word of the family at the permuted place. Words without a place stay where they are.
/// </summary>
/// <param name="Family">Names the family.</param>
/// <param name="Cpu">Index of the CPU that it belongs to, or -1.</param>
/// <param name="OtherCpu">Index of a second CPU (one word for every pair), or -1.</param>
/// <param name="Page">The page that it belongs to, or -1; a frame belongs to the pages of its colour.</param>
/// <param name="Meaning">What its value names.</param>
public readonly record struct WordPlace(
    string Family, int Cpu = -1, int OtherCpu = -1, int Page = -1, WordMeaning Meaning = WordMeaning.Plain);
