namespace Shootdown.Machine;

/// <summary>
/// A local state up to names: a key that it shares with all its images, and which part every CPU and page plays in it. Key
/// and parts together tell it from every other local state of the program.
/// </summary>
internal sealed class LocalRoles
{
    internal required ulong KeyLow { get; init; }

    internal required ulong KeyHigh { get; init; }

    /// <summary>The part that every interchangeable CPU plays, in the order of the declaration.</summary>
    internal required byte[] Cpus { get; init; }

    /// <summary>The part that every page plays.</summary>
    internal required byte[] Pages { get; init; }

    /// <summary>CPUs that play another than the most common part.</summary>
    internal required (int Cpu, int Role)[] NamedCpus { get; init; }

    /// <summary>Pages that play another than the most common part.</summary>
    internal required (int Page, int Role)[] NamedPages { get; init; }

    /// <summary>The interchangeable CPU that the agent runs on, or -1.</summary>
    internal required int Home { get; init; }
}
