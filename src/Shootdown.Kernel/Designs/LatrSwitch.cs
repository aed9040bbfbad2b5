using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>A switch to a user address space sweeps first.</summary>
internal sealed class LatrSwitch(KernelModel kernel) : SwitchMm(kernel)
{
    public override async Proc SwitchMmIrqsOff(Cpu cpu, Mm? next)
    {
        // Not on the way to init_mm: a sweep may itself go there, if the CPU is lazy.
        if (next is not null)
        {
            await ((LatrFlush)Kernel.TlbFlush).SweepAll(cpu);
        }

        await base.SwitchMmIrqsOff(cpu, next);
    }
}
