using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A way on which an operation reaches a function.</summary>
/// <param name="Operation">Id of the operation.</param>
/// <param name="Calls">Kernel functions from the system call (or daemon) to the function, which is the last.</param>
/// <param name="Held">What is held when the function is entered, in the order in which it was taken.</param>
public sealed partial record FunctionPath(string Operation, IReadOnlyList<string> Calls, IReadOnlyList<HeldChange> Held)
{
    /// <summary>True if the function must not sleep on this path.</summary>
    public bool IsAtomic => Held.Any(held => held.Kind is HoldKind.Spinlock or HoldKind.PreemptOff or HoldKind.InterruptsOff
        or HoldKind.Handler or HoldKind.Rcu);

    /// <summary>What is held, for reports; <c>nothing</c> if nothing is.</summary>
    public string HeldText => Held.Count == 0 ? "nothing" : string.Join(", ", Held.Select(TextOf).Distinct());

    /// <summary>The calls, for reports.</summary>
    public string CallText => string.Join(" > ", Calls);

    internal string Key => $"{Operation}|{CallText}|{HeldText}";

    private static string TextOf(HeldChange held) => held.Kind switch
    {
        HoldKind.Read => $"{held.Name} (read)",
        HoldKind.Write => $"{held.Name} (write)",
        HoldKind.Spinlock => $"{held.Name.TrimEnd('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')} (spinlock)",
        HoldKind.PreemptOff => "preemption off",
        HoldKind.InterruptsOff => "interrupts off",
        HoldKind.Handler => "interrupt handler",
        HoldKind.Rcu => "RCU read section",
        HoldKind.Srcu => $"{held.Name} (SRCU read section)",
        _ => FolioLock().IsMatch(held.Name) ? "folio lock" : held.Name,
    };

    [System.Text.RegularExpressions.GeneratedRegex("^page[0-9]+\\.lock$")]
    private static partial System.Text.RegularExpressions.Regex FolioLock();
}

/// <summary>All ways to a function, and what they are worth.</summary>
/// <param name="Function">The function, as the kernel spells it.</param>
/// <param name="Paths">The ways that were seen, by operation.</param>
/// <param name="Machines">Machines that were run.</param>
/// <param name="States">Their states.</param>
/// <param name="Cut">Machines that did not end within the time.</param>
/// <param name="Unseen">Calls of the function that the code contains and no run made, as <c>caller > function</c>.</param>
/// <param name="NotRun">Functions of the library from which the function is reached and which no operation runs, e.g. <c>exit_mm</c>.</param>
public sealed record PathReport(
    string Function,
    IReadOnlyList<FunctionPath> Paths,
    int Machines,
    long States,
    IReadOnlyList<string> Cut,
    IReadOnlyList<string> Unseen,
    IReadOnlyList<string> NotRun);
