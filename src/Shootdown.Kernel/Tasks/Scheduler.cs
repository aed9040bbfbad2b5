using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Tasks that sleep and wake up, possibly on another CPU (kernel/sched/core.c).</summary>
public class Scheduler(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// kernel/sched/core.c: <c>schedule</c> of a task that waits for something: its CPU goes to the idle task with the address space
    /// loaded, in lazy TLB mode. Returns the CPU on which the task runs again: from here on nothing that was found by CPU number may be used.
    /// </summary>
    public virtual async Proc<Cpu> Schedule(Cpu cpu, MovableTask task, Mm mm)
    {
        await Kernel.LazyTlb.EnterLazyTlb(cpu);
        await task.Sleep(cpu);
        return await ContextSwitch(task, mm);
    }

    /// <summary>kernel/sched/core.c: <c>context_switch</c> to the task, on whichever CPU is idle.</summary>
    public virtual async Proc<Cpu> ContextSwitch(MovableTask task, Mm mm)
    {
        int index = await task.TakeCpu();
        Cpu cpu = Machine.Cpus[index];
        await Kernel.SwitchMm.SwitchTo(cpu, mm);
        return cpu;
    }

    /// <summary>kernel/exit.c: <c>do_exit</c>: the CPU is left in lazy TLB mode.</summary>
    public virtual async Proc DoExit(Cpu cpu, MovableTask task)
    {
        await Kernel.LazyTlb.EnterLazyTlb(cpu);
        await task.Exit(cpu);
    }
}
