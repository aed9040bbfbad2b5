namespace Shootdown.Machine;

/// <content>Whatever moves.</content>
public sealed partial class MachineModel
{
    private readonly List<Agent> _agents = [];
    private int[] _currentTasks = [];
    private ulong _sharedCpus;

    /// <summary>Everything that moves, in order of creation.</summary>
    public IReadOnlyList<Agent> Agents => _agents;

    /// <summary>Starts a task on a CPU.</summary>
    public Agent AddTask(Cpu cpu, string role, Func<Proc> program) => AddAgent(role, AgentKind.Task, cpu, false, program);

    /// <summary>Starts a task that sleeps and may wake up on another CPU; it waits for an idle one first.</summary>
    /// <param name="role">Name for reports and the diagram's header.</param>
    /// <param name="cpus">The CPUs that it may run on, as a mask.</param>
    /// <param name="program">Its program: begins with <see cref="MovableTask.TakeCpu"/>, ends with <see cref="MovableTask.Exit"/>.</param>
    public Agent AddMovableTask(string role, ulong cpus, Func<MovableTask, Proc> program)
    {
        _sharedCpus |= cpus;
        if (_currentTasks.Length == 0)
        {
            _currentTasks = [.. Cpus.Select(cpu => Allocate($"cpu{cpu.Index}.current", WordKind.Hardware))];
        }

        var task = new MovableTask(this, role, cpus, _agents.Count);
        Agent agent = AddAgent(role, AgentKind.Task, null, false, () => program(task));
        agent.PlaceAddress = task.PlaceAddress;
        return agent;
    }

    /// <summary>A word on a task's stack: only that task touches it, on whatever CPU it runs. Using it is no scheduling point.</summary>
    public Word NewStackWord(string name) => new(this, Allocate(name, WordKind.Local), name, WordKind.Local, null);

    /// <summary>True if tasks may move: a lock may then be released on another CPU than it was taken on.</summary>
    internal bool HasMovableTasks => _sharedCpus != 0;

    /// <summary>Address of the word that is 0 while no movable task runs on the CPU.</summary>
    internal int CurrentTaskOf(Cpu cpu) => _currentTasks[cpu.Index];

    /// <summary>Adds anything that moves; its program runs to its first operation here.</summary>
    /// <param name="name">Role for the diagram's header.</param>
    /// <param name="kind">Kind of agent.</param>
    /// <param name="cpu">The CPU it runs on, if any.</param>
    /// <param name="mayStop">True if being blocked for ever is no deadlock.</param>
    /// <param name="program">Its program.</param>
    public Agent AddAgent(string name, AgentKind kind, Cpu? cpu, bool mayStop, Func<Proc> program)
    {
        ArgumentNullException.ThrowIfNull(program);
        RequireUnsealed();
        var agent = new Agent(this, _agents.Count, name, kind, cpu, mayStop);
        _agents.Add(agent);
        ProcFrame first = program().Frame
            ?? throw new ProcRuleException($"the program of '{name}' is a default(Proc): use a method that returns Proc");
        agent.Initial = LocalStates.Start(agent, first);
        return agent;
    }
}
