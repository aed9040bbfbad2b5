namespace Shootdown.Check;

/// <summary>The answer of a check; the numbers are the exit codes of the command line.</summary>
public enum Verdict
{
    /// <summary>Every interleaving within the bounds was explored and no property was violated.</summary>
    Pass = 0,

    /// <summary>A property was violated; a schedule that reaches it is part of the result.</summary>
    Violation = 1,

    /// <summary>No answer: a bound, the memory or the time ran out, or the property was never exercised.</summary>
    Inconclusive = 2,

    /// <summary>The scenario cannot be run as asked (a rule of kernel code broken, a model that does not exist yet).</summary>
    Unsupported = 3,
}
