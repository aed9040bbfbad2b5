using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>How a walk from an anonymous page keeps its anon_vma while a notifier sleeps.</summary>
internal enum AnonVmaKeeping
{
    /// <summary>The spinlock is held throughout.</summary>
    Spinlock,

    /// <summary>The spinlock is dropped around the call, and nothing else is held.</summary>
    Nothing,

    /// <summary>The spinlock is dropped around the call, and a reference is held.</summary>
    Reference,

    /// <summary>A lock that sleeps is held throughout; unlinking waits for it.</summary>
    SleepingLock,
}

/// <summary>A reclaim walks an anon_vma and calls a notifier that sleeps; an exit unlinks the last area and frees the anon_vma.</summary>
internal sealed class AnonVmaLifetimeModel : MachineHandle
{
    private readonly AnonVmaKeeping _keeping;
    private readonly Spinlock _spin;
    private readonly KernelMutex _mutex;
    private readonly Word _linked;
    private readonly Word _references;
    private readonly Word _freed;

    private AnonVmaLifetimeModel(MachineModel machine, AnonVmaKeeping keeping)
        : base(machine)
    {
        _keeping = keeping;
        _spin = machine.NewSpinLock("anon_vma->lock");
        _mutex = machine.NewMutex("anon_vma->mutex");
        _linked = machine.NewWord("anon_vma.head", 1);
        _references = machine.NewWord("anon_vma.refcount", 1);
        _freed = machine.NewWord("anon_vma.freed");
    }

    /// <summary>A run.</summary>
    internal static SeedRun Run(string name, AnonVmaKeeping keeping) => SeedRun.OfModel(name, $"anon_vma lifetime {keeping}", () => Build(keeping));

    private static CheckModel Build(AnonVmaKeeping keeping)
    {
        var machine = new MachineModel(new MachineOptions { Cpus = 2, Frames = 0 });
        var model = new AnonVmaLifetimeModel(machine, keeping);
        machine.AddTask(machine.Cpus[0], "reclaim", () => model.TryToUnmapAnon(machine.Cpus[0]));
        machine.AddTask(machine.Cpus[1], "exit", () => model.AnonVmaUnlink(machine.Cpus[1]));
        return new CheckModel(machine, [new PAtomic(), new Assertions()]);
    }

    /// <summary>The walk found the anon_vma through a page that is mapped: it exists when the lock is taken and an area is linked.</summary>
    private async Proc TryToUnmapAnon(Cpu cpu)
    {
        await Lock(cpu);
        if (await cpu.Load(_linked) == 0)
        {
            await Unlock(cpu);
            return;
        }

        bool drops = _keeping is AnonVmaKeeping.Nothing or AnonVmaKeeping.Reference;
        if (_keeping == AnonVmaKeeping.Reference)
        {
            await cpu.AddReturn(_references, 1);
        }

        if (drops)
        {
            await Unlock(cpu);
        }

        await cpu.MightSleep("invalidate_range_start()");
        await cpu.Assert(await cpu.Load(_freed, weight: StepWeight.Key) == 0, "the walk goes on only while the anon_vma exists");
        if (!drops)
        {
            await Unlock(cpu);
        }

        if (_keeping == AnonVmaKeeping.Reference)
        {
            await Put(cpu);
        }
    }

    /// <summary>mm/rmap.c: <c>anon_vma_unlink</c> of the last area.</summary>
    private async Proc AnonVmaUnlink(Cpu cpu)
    {
        await Lock(cpu);
        await cpu.Store(_linked, 0, weight: StepWeight.Key);
        await Unlock(cpu);
        await Put(cpu);
    }

    [KernelName("put_anon_vma")]
    private async Proc Put(Cpu cpu)
    {
        if (await cpu.AddReturn(_references, -1) == 0)
        {
            await cpu.Store(_freed, 1, weight: StepWeight.Key);
        }
    }

    private async Proc Lock(Cpu cpu)
    {
        if (_keeping == AnonVmaKeeping.SleepingLock)
        {
            await cpu.MutexLock(_mutex);
        }
        else
        {
            await cpu.SpinLock(_spin);
        }
    }

    private async Proc Unlock(Cpu cpu)
    {
        if (_keeping == AnonVmaKeeping.SleepingLock)
        {
            await cpu.MutexUnlock(_mutex);
        }
        else
        {
            await cpu.SpinUnlock(_spin);
        }
    }
}
