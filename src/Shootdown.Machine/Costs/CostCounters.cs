using System.Collections.Immutable;

namespace Shootdown.Machine;

/// <summary>
/// Counters of what a run costs (P-cost). They are words of the state, so every run has its own; they exist only if a check
/// asks for them.
/// </summary>
/// <remarks>
/// A counter is only ever added to, and nothing that moves reads it. So additions commute with every step and belong to no
/// footprint, and reduction, which keeps all final states, keeps all values that the counters can end with. Whether a flush
/// is useful depends on TLBs: while costs are counted, flushes name those words as read.
/// </remarks>
public sealed class CostCounters : MachineHandle
{
    private static readonly int Kinds = Enum.GetValues<CostKind>().Length;
    private readonly int _places;
    private readonly bool _byOperation;
    private readonly int _first;
    private readonly int[] _initiator;
    private int _useful = -1;

    internal CostCounters(MachineModel machine, IReadOnlyList<string> functions, bool byOperation)
        : base(machine)
    {
        if (machine.Options.Tlb == TlbKind.Explicit)
        {
            throw new ProcRuleException(
                "costs are counted with the lagging TLB: the explicit one says what is cached, not what may be");
        }

        if (machine.Interrupts.HasAtomicFunctions)
        {
            throw new ProcRuleException("costs cannot be counted where an IPI's handler is one indivisible step");
        }

        int cpus = machine.Cpus.Count;
        Functions = [.. functions];
        _byOperation = byOperation;
        _places = byOperation ? cpus + 1 : 1;
        Count = Kinds + functions.Count;
        _first = machine.AllocateRange("cost", WordKind.Hardware, Count * _places);
        for (int i = 0; i < Count * _places; i++)
        {
            int place = i % _places;
            machine.Describe(_first + i, new WordPlace($"cost {i / _places}", byOperation && place < cpus ? place : -1));
        }

        _initiator = [.. machine.Cpus.Select(cpu => machine.Allocate($"cpu{cpu.Index}.ipi_initiator", WordKind.Hardware))];
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.Describe(_initiator[cpu.Index], new WordPlace("ipi_initiator", cpu.Index, Meaning: WordMeaning.CpuOwner));
        }
    }

    /// <summary>Names of kernel functions whose calls are counted, as the kernel spells them.</summary>
    public ImmutableArray<string> Functions { get; }

    /// <summary>Number of counters: one for each <see cref="CostKind"/>, then one for each function.</summary>
    public int Count { get; }

    /// <summary>
    /// True if they are kept for each initiating CPU: a handler's flushes are charged to the CPU that sent the IPI.
    /// </summary>
    public bool ByOperation => _byOperation;

    /// <summary>A counter's value in a state: of the operation on a CPU, or of the whole run (CPU -1).</summary>
    public long ValueOf(MachineState state, int counter, int cpu = -1)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (cpu >= 0)
        {
            return (long)state.Read(AddressOf(counter, cpu));
        }

        long sum = 0;
        for (int place = 0; place < _places; place++)
        {
            sum += (long)state.Read(_first + (counter * _places) + place);
        }

        return sum;
    }

    /// <summary>The agents are known: each gets a word that says whether its page-by-page flush was of use so far.</summary>
    internal void Seal()
    {
        _useful = Machine.AllocateRange("cost.useful", WordKind.Hardware, Machine.Agents.Count);
        foreach (Agent agent in Machine.Agents)
        {
            agent.InitialCalls = CountersOf(agent.InitialCallNames);
            Machine.Describe(_useful + agent.Index, new WordPlace($"cost useful {agent.Kind} {agent.Name}", agent.Cpu?.Index ?? -1));
        }
    }

    /// <summary>Which of the counted functions were called, as counters; null if none.</summary>
    internal int[]? CountersOf(IReadOnlyList<string> calls)
    {
        int[] counters =
        [
            .. calls.Where(IsNotifierCall).Select(_ => (int)CostKind.NotifierCalls),
            .. calls.Select(call => Functions.IndexOf(call)).Where(index => index >= 0).Select(index => Kinds + index),
        ];
        return counters.Length == 0 ? null : counters;
    }

    /// <summary>What callers call, not what subscribers have (<c>kvm_mmu_notifier_invalidate_range_start</c>).</summary>
    private static bool IsNotifierCall(string call) => call.StartsWith("mmu_notifier_", StringComparison.Ordinal)
        && (call.Contains("invalidate", StringComparison.Ordinal) || call == "mmu_notifier_change_pte");

    internal void HandlerStarts(MachineState state, Cpu cpu, int sender) => state.Write(_initiator[cpu.Index], (ulong)sender + 1);

    internal void HandlerEnds(MachineState state, Cpu cpu) => state.Write(_initiator[cpu.Index], 0);

    internal void AddHandlerFootprint(Footprint footprint, Cpu cpu) => footprint.Write(_initiator[cpu.Index]);

    internal void AddCalls(MachineState state, Agent agent, int[]? counters)
    {
        foreach (int counter in counters ?? [])
        {
            Add(state, counter, PlaceOf(state, agent), 1);
        }
    }

    /// <summary>Charges a step.</summary>
    /// <param name="state">The state behind it.</param>
    /// <param name="agent">Who made it.</param>
    /// <param name="cost">What its operation said before it was performed.</param>
    /// <param name="place">Whom to charge, as before it was performed.</param>
    /// <param name="next">The operation that follows.</param>
    internal void Charge(MachineState state, Agent agent, in CostEvent cost, int place, Operation? next)
    {
        Add(state, (int)cost.Kind, place, cost.Amount);
        if (cost.Kind != CostKind.Entries)
        {
            Add(state, (int)CostKind.Redundant, place, cost.Useful ? 0 : 1);
            Add(state, (int)CostKind.SecondaryRedundant, place, cost is { Kind: CostKind.SecondaryFlushes, Useful: false } ? 1 : 0);
            return;
        }

        int useful = _useful + agent.Index;
        if (cost.Useful)
        {
            state.Write(useful, 1);
        }

        if (next is not FlushOperation { IsOnePage: true })
        {
            Add(state, (int)CostKind.PartialFlushes, place, 1);
            Add(state, (int)CostKind.Redundant, place, state.Read(useful) == 0 ? 1 : 0);
            state.Write(useful, 0);
        }
    }

    /// <summary>Charges a command that an IOMMU performs to the CPU that waits for it; -1 if nobody does.</summary>
    internal void ChargeSecondary(MachineState state, int cpu, bool useful)
    {
        int place = !_byOperation ? 0 : cpu < 0 ? _places - 1 : cpu;
        Add(state, (int)CostKind.SecondaryFlushes, place, 1);
        Add(state, (int)CostKind.Redundant, place, useful ? 0 : 1);
        Add(state, (int)CostKind.SecondaryRedundant, place, useful ? 0 : 1);
    }

    /// <summary>Whom to charge for what an agent does.</summary>
    internal int PlaceOf(MachineState state, Agent agent)
    {
        if (!_byOperation)
        {
            return 0;
        }

        if (agent.Cpu is not { } cpu)
        {
            return _places - 1;
        }

        ulong initiator = agent.Kind == AgentKind.Interrupt ? state.Read(_initiator[cpu.Index]) : 0;
        return initiator != 0 ? (int)initiator - 1 : cpu.Index;
    }

    private int AddressOf(int counter, int cpu) => _first + (counter * _places) + cpu;

    private void Add(MachineState state, int counter, int place, int amount)
    {
        int address = AddressOf(counter, place);
        state.Write(address, state.Read(address) + (ulong)amount);
    }
}
