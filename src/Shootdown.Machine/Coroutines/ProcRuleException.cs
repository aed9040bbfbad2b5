namespace Shootdown.Machine;

/// <summary>
/// Kernel code or a scenario broke a rule that the checker depends on (hidden mutable state, a foreign await,
/// nondeterminism). The verdict would be worthless, so there is none: the message says what to change.
/// </summary>
public sealed class ProcRuleException : Exception
{
    /// <summary>Creates the error.</summary>
    public ProcRuleException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error around the exception that kernel code threw.</summary>
    public ProcRuleException(string message, Exception inner)
        : base(message, inner)
    {
    }

    internal static ProcRuleException ForeignAwait() => new(
        "a Proc was awaited outside the machine: only a method that returns Proc may await one; start it as an agent instead");
}
