namespace Shootdown.Machine;

/// <summary>What keeps others out, or its holder from sleeping.</summary>
public enum HoldKind
{
    /// <summary>A spinlock: its holder must not sleep.</summary>
    Spinlock,

    /// <summary>A mutex or folio lock.</summary>
    Mutex,

    /// <summary>An rw-semaphore, for reading.</summary>
    Read,

    /// <summary>An rw-semaphore, for writing.</summary>
    Write,

    /// <summary>Preemption off.</summary>
    PreemptOff,

    /// <summary>Interrupts off.</summary>
    InterruptsOff,

    /// <summary>An interrupt handler.</summary>
    Handler,

    /// <summary>An RCU read section.</summary>
    Rcu,

    /// <summary>An SRCU read section.</summary>
    Srcu,
}

/// <summary>A lock that an operation takes or gives back, or a section that it enters or leaves.</summary>
/// <param name="Name">Name for reports; empty where the kind says it all.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Takes">True if it is held from here on.</param>
public readonly record struct HeldChange(string Name, HoldKind Kind, bool Takes);
