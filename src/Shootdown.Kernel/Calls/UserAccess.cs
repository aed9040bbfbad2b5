using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>What a user thread does: accesses memory, and tries again when a page fault was handled.</summary>
public class UserAccess(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>A load whose value does not matter; false if it ends with SIGSEGV.</summary>
    [KernelName]
    public virtual async Proc<bool> UserLoad(Cpu cpu, Mm mm, int page)
    {
        while ((await cpu.AccessTouch(page)).Faulted)
        {
            if (!await Kernel.PageFault.HandleMmFault(cpu, mm, page, false))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A load; -1 if it ends with SIGSEGV.</summary>
    [KernelName]
    public virtual async Proc<int> UserLoadValue(Cpu cpu, Mm mm, int page)
    {
        while (true)
        {
            AccessResult result = await cpu.AccessLoad(page);
            if (!result.Faulted)
            {
                return result.Value;
            }

            if (!await Kernel.PageFault.HandleMmFault(cpu, mm, page, false))
            {
                return -1;
            }
        }
    }

    /// <summary>A store; false if it ends with SIGSEGV.</summary>
    [KernelName]
    public virtual async Proc<bool> UserStore(Cpu cpu, Mm mm, int page, int value)
    {
        while ((await cpu.AccessStore(page, value)).Faulted)
        {
            if (!await Kernel.PageFault.HandleMmFault(cpu, mm, page, true))
            {
                return false;
            }
        }

        return true;
    }
}
