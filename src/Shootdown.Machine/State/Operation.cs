namespace Shootdown.Machine;

/// <summary>How much a step matters to a reader of a diagram.</summary>
public enum StepWeight
{
    /// <summary>Only in a full trace: reads of per-CPU words, local cells, interrupt flags.</summary>
    Detail,

    /// <summary>Shown where it delimits a window: locks, counters, interrupt entry.</summary>
    Context,

    /// <summary>Always shown: PTE changes, flushes, accesses, frees, returns.</summary>
    Key,
}

/// <summary>
/// One thing that kernel code or hardware asks the machine to do, indivisibly. Immutable: made when the program
/// reaches it and kept with the local state. All that it reads and changes is in the <see cref="MachineState"/>.
/// </summary>
public abstract class Operation
{
    /// <summary>True if no other agent can notice it, so that it is no scheduling point.</summary>
    public virtual bool IsLocal => false;

    /// <summary>
    /// True if it only judges: it changes no word and leads back to the same local state. The explorer performs it in every
    /// state that it visits and never has to choose it.
    /// </summary>
    public virtual bool IsObservation => false;

    /// <summary>What a reader sees, e.g. <c>spin_lock(ptl)</c>.</summary>
    public abstract string Text { get; }

    /// <summary>How much a reader cares.</summary>
    public virtual StepWeight Weight => StepWeight.Detail;

    /// <summary>The number of ways in which it can happen now; 0 while it must wait.</summary>
    public virtual int Alternatives(MachineState state) => 1;

    /// <summary>
    /// While it must wait: the address of a word without whose change it stays blocked, or -1 if there is no single one.
    /// </summary>
    public virtual int BlockedOn(MachineState state) => -1;

    /// <summary>If it takes an exclusive lock: the address of the lock's word, else -1.</summary>
    public virtual int AcquiresLock => -1;

    /// <summary>
    /// True if who can perform it now and again does so at last: who takes an exclusive lock stands in a queue, and a pending interrupt is taken
    /// as soon as interrupts are on.
    /// </summary>
    public virtual bool IsServedInTurn => AcquiresLock >= 0;

    /// <summary>
    /// True if it waits until the word is 0 (a lock that it takes, an acknowledgement): while the word is not, the program stays
    /// before it. Only words of <see cref="MachineModel.BarrierWords"/> are asked for.
    /// </summary>
    public virtual bool WaitsForZero(int address) => AcquiresLock == address;

    /// <summary>If it releases an exclusive lock: the address of the lock's word, else -1.</summary>
    public virtual int ReleasesLock => -1;

    /// <summary>
    /// What it costs in the way in which it is about to happen; asked only where costs are counted (<see cref="MachineModel.Costs"/>).
    /// What the answer depends on belongs to the footprint.
    /// </summary>
    public virtual CostEvent CostOf(MachineState state) => CostEvent.None;

    /// <summary>What it takes or gives back if it returns the result; null if nothing. For analyses of programs.</summary>
    public virtual HeldChange? HeldAfter(long result) => null;

    /// <summary>Performs it in the given way (0 to <see cref="Alternatives"/> - 1) and returns its result.</summary>
    public abstract long Execute(MachineState state, int alternative);

    /// <summary>
    /// The result that the image of this operation under a permutation of CPUs and pages has where this one has the given
    /// result. Must be overridden if a result names a CPU, a page or a frame.
    /// </summary>
    public virtual long ResultUnder(Permutation permutation, long result) => result;

    /// <summary>
    /// Adds every word that it may read (its waiting condition and properties included) or write in any state. Too much
    /// is slow, too little is unsound; random tests compare exploration with and without reduction.
    /// </summary>
    public abstract void AddFootprint(Footprint footprint);
}
