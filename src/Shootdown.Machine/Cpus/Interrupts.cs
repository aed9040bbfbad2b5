namespace Shootdown.Machine;

/// <summary>
/// Synchronous cross-calls (IPIs): a CPU marks its request pending at every target and waits until all of their handlers
/// returned. A target takes a pending request when its interrupts are on, in any order of senders; handler entry and
/// exit are full fences. Each CPU's handlers run in an interrupt context of their own, during which its task stands still.
/// </summary>
public sealed partial class Interrupts : MachineHandle
{
    private readonly int[] _pending;
    private readonly int[] _outstanding;
    private readonly int[] _function;
    private readonly int[] _argument;
    private readonly Dictionary<int, AtomicHandler> _atomic = [];
    private readonly HashSet<int> _ticks = [];
    private readonly List<(string Name, Func<Cpu, Cpu, Proc> Code)> _handlers = [];

    internal Interrupts(MachineModel machine)
        : base(machine)
    {
        int cpus = machine.Timed is null ? machine.Options.Cpus : 0;
        _pending = [.. Enumerable.Range(0, cpus).Select(c => machine.Allocate($"cpu{c}.ipi_pending", WordKind.Hardware))];
        _outstanding = [.. Enumerable.Range(0, cpus).Select(c => machine.AllocateRange($"cpu{c}.ipi_outstanding", WordKind.Hardware, cpus))];
        _argument = [.. Enumerable.Range(0, cpus).Select(c => machine.Allocate($"cpu{c}.ipi_argument", WordKind.Hardware))];
        _function = [.. Enumerable.Range(0, cpus).Select(c => machine.Allocate($"cpu{c}.ipi_function", WordKind.Hardware))];
        for (int c = 0; c < cpus; c++)
        {
            machine.Describe(_pending[c], new WordPlace("ipi_pending", c, Meaning: WordMeaning.CpuSet));
            machine.Describe(_argument[c], new WordPlace("ipi_argument", c));
            machine.Describe(_function[c], new WordPlace("ipi_function", c));
            for (int target = 0; target < cpus; target++)
            {
                machine.Describe(_outstanding[c] + target, new WordPlace("ipi_outstanding", c, target));
            }
        }
    }

    /// <summary>The argument that a CPU passed with its last request.</summary>
    public ulong ArgumentOf(MachineState state, Cpu sender) => state.Read(_argument[sender.Index]);

    /// <summary>Registers a cross-call function (target, sender) and returns its number.</summary>
    public int RegisterFunction(string name, Func<Cpu, Cpu, Proc> code)
    {
        _handlers.Add((name, code));
        return _handlers.Count - 1;
    }

    /// <summary>
    /// Registers a cross-call function that is one indivisible step: it is taken, run and acknowledged at once. For handlers
    /// that touch nothing but their own CPU's hardware, where it is the same as one step after the other.
    /// </summary>
    public int RegisterAtomicFunction(AtomicHandler handler)
    {
        _atomic.Add(_handlers.Count, handler);
        for (int c = 0; c < _argument.Length && handler.ArgumentIsPage; c++)
        {
            Machine.Describe(_argument[c], new WordPlace("ipi_argument", c, Meaning: WordMeaning.PageNumber));
        }

        return RegisterFunction(handler.Name, static (_, _) => throw new ProcRuleException("an atomic handler has no program"));
    }

    /// <summary>
    /// Registers work of the scheduler tick (target, CPU that asked for it): <see cref="Cpu.RaiseTick"/> makes it due, and the target
    /// does it at some later time. No IPI is sent.
    /// </summary>
    public int RegisterTick(string name, Func<Cpu, Cpu, Proc> code)
    {
        _ticks.Add(_handlers.Count);
        return RegisterFunction(name, code);
    }

    internal bool HasAtomicFunctions => _atomic.Count > 0;

    /// <summary>The code of a registered cross-call function.</summary>
    public Func<Cpu, Cpu, Proc> CodeOf(int function) => _handlers[function].Code;

    internal void AddAgents()
    {
        if (_handlers.Count > 0)
        {
            foreach (Cpu cpu in Machine.Cpus)
            {
                Machine.AddAgent("interrupt", AgentKind.Interrupt, cpu, true, () => HandleInterrupts(cpu));
            }
        }
    }

    /// <summary>Words that are 1 while a target has not acknowledged its sender's request; none without handlers.</summary>
    internal IEnumerable<int> OutstandingWords => _handlers.Count == 0 ? [] : _outstanding.SelectMany(
        (first, sender) => Enumerable.Range(0, _outstanding.Length).Where(target => target != sender).Select(target => first + target));

    internal Operation Send(Cpu sender, ulong mask, int function, ulong argument) => new SendOperation(this, sender, mask, function, argument);

    internal Operation ReadArgument(Cpu sender) => new ArgumentOperation(this, sender);

    internal Operation AwaitAcknowledgements(Cpu sender) => new AwaitOperation(this, sender);

    [KernelName]
    private async Proc HandleInterrupts(Cpu cpu)
    {
        while (true)
        {
            int request = await new Op<int>(new TakeOperation(this, cpu));
            if (request < 0)
            {
                continue;
            }

            Cpu sender = Machine.Cpus[request & 0xff];
            await _handlers[request >> 8].Code(cpu, sender);
            await new Op(new AcknowledgeOperation(this, cpu, sender));
        }
    }
}
