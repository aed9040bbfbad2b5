namespace Shootdown.Machine;

/// <summary>
/// A task that may run on several CPUs, one at a time. It gives its CPU up only where it sleeps and goes on on any idle
/// one that it may use; at most one such task runs on a CPU. Preemption at other points is not modelled.
/// </summary>
/// <remarks>
/// Its program begins with <see cref="TakeCpu"/>, gets from every sleep the CPU on which it goes on, and ends with <see cref="Exit"/>:
/// whoever keeps the old one keeps what the kernel's <c>this_cpu_ptr</c> would have given before the sleep. A machine has movable tasks
/// or tasks bound to a CPU, not both on one CPU.
/// </remarks>
public sealed class MovableTask : MachineHandle
{
    private readonly int _place;
    private readonly int _savedPreemptCount;
    private readonly int _number;

    internal MovableTask(MachineModel machine, string name, ulong cpus, int number)
        : base(machine)
    {
        Name = name;
        AllowedCpus = cpus;
        _number = number;
        _place = machine.Allocate($"{name}.cpu", WordKind.Hardware);
        _savedPreemptCount = machine.Allocate($"{name}.preempt_count", WordKind.Hardware);
    }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>The CPUs that it may run on, as a mask (<c>cpus_mask</c>).</summary>
    public ulong AllowedCpus { get; }

    /// <summary>Address of the word that says where it runs: 0 for nowhere, else 1 + the CPU.</summary>
    public int PlaceAddress => _place;

    /// <summary>
    /// <c>schedule</c>, first half: the task sleeps, and its CPU is free for others. Sleeping in atomic context is judged here; where the
    /// machine lets it through, the task's preempt_count goes with it.
    /// </summary>
    public Op Sleep(Cpu cpu) => new(new LeaveOperation(this, cpu, true));

    /// <summary><c>do_exit</c>: the end of its program, without which its CPU stays taken.</summary>
    public Op Exit(Cpu cpu) => new(new LeaveOperation(this, cpu, false));

    /// <summary><c>schedule</c>, second half: waits for an idle CPU and runs there; returns its index.</summary>
    public Op<int> TakeCpu() => new(new TakeOperation(this));

    private sealed class LeaveOperation(MovableTask task, Cpu cpu, bool sleeps) : Operation
    {
        public override string Text => sleeps ? $"schedule()  [ {task.Name} sleeps ]" : $"[ {task.Name} ends ]";

        public override StepWeight Weight => sleeps ? StepWeight.Key : StepWeight.Detail;

        public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

        public override long Execute(MachineState state, int alternative)
        {
            if (state.Read(task._place) != (ulong)cpu.Index + 1)
            {
                throw new ProcRuleException($"{task.Name} gives up {cpu}, on which it does not run: pass the CPU that its last sleep returned");
            }

            if (sleeps)
            {
                AtomicContext.JudgeSleep(state, cpu, "schedule()");
            }

            int preemptCount = cpu.PreemptCount.Address;
            state.Write(task._savedPreemptCount, state.Read(preemptCount));
            state.Write(preemptCount, 0);
            state.Write(task._place, 0);
            state.Write(task.Machine.CurrentTaskOf(cpu), 0);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            AtomicContext.AddFootprint(footprint, cpu);
            task.AddSwitchFootprint(footprint, cpu);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
        }
    }

    private sealed class TakeOperation(MovableTask task) : Operation
    {
        public override string Text => $"[ {task.Name} runs ]";

        public override StepWeight Weight => StepWeight.Key;

        public override int Alternatives(MachineState state)
        {
            int idle = 0;
            foreach (Cpu cpu in task.Machine.Cpus)
            {
                idle += task.MayTake(state, cpu) ? 1 : 0;
            }

            return idle;
        }

        public override long Execute(MachineState state, int alternative)
        {
            int left = alternative;
            foreach (Cpu cpu in task.Machine.Cpus)
            {
                if (task.MayTake(state, cpu) && left-- == 0)
                {
                    state.Write(task.Machine.CurrentTaskOf(cpu), (ulong)task._number + 1);
                    state.Write(task._place, (ulong)cpu.Index + 1);
                    state.Write(cpu.PreemptCount.Address, state.Read(task._savedPreemptCount));
                    state.Write(task._savedPreemptCount, 0);
                    if (state.Record is { } record)
                    {
                        record.Text = $"[ {task.Name} runs on {cpu} ]";
                    }

                    return cpu.Index;
                }
            }

            throw new InvalidOperationException("a task takes a CPU that is not idle");
        }

        public override void AddFootprint(Footprint footprint)
        {
            foreach (Cpu cpu in task.Machine.Cpus)
            {
                if ((task.AllowedCpus & cpu.Bit) != 0)
                {
                    task.AddSwitchFootprint(footprint, cpu);
                }
            }
        }
    }

    private bool MayTake(MachineState state, Cpu cpu)
        => (AllowedCpus & cpu.Bit) != 0 && state.Read(Machine.CurrentTaskOf(cpu)) == 0;

    private void AddSwitchFootprint(Footprint footprint, Cpu cpu)
    {
        footprint.Write(Machine.CurrentTaskOf(cpu));
        footprint.Write(cpu.PreemptCount.Address);
        footprint.Write(_place);
        footprint.Write(_savedPreemptCount);
    }
}
