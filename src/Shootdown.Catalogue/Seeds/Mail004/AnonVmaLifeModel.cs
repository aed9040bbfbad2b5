using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What keeps an anon_vma alive while a walk over it sleeps in a notifier.</summary>
public enum AnonVmaHold
{
    /// <summary>Its spinlock, held while the notifier sleeps.</summary>
    Spinlock,

    /// <summary>Nothing: the spinlock is dropped before the notifier is called.</summary>
    Nothing,

    /// <summary>A reference, taken under the spinlock, which is then dropped.</summary>
    Reference,

    /// <summary>A reference that is taken without a look whether there is any left.</summary>
    BlindReference,

    /// <summary>A sleeping lock (the full series).</summary>
    SleepingLock,
}

/// <summary>
/// A walk from a page to its entries calls a notifier that sleeps, while munmap unlinks the last area from the anon_vma and gives it up. An
/// anon_vma that is used
/// when it was freed is reported.
/// </summary>
public static class AnonVmaLifeModel
{
    /// <summary>Builds it.</summary>
    /// <param name="hold">What keeps it alive.</param>
    /// <param name="walkers">How many walk at a time.</param>
    public static CheckModel Build(AnonVmaHold hold, int walkers)
    {
        var machine = new MachineModel(new MachineOptions { Cpus = 1 + walkers, EntriesPerTable = 1, Frames = 1 });
        var words = new AnonVmaWords(machine);
        for (int i = 1; i <= walkers; i++)
        {
            Cpu cpu = machine.Cpus[i];
            machine.AddTask(cpu, "rmap", () => Walk(cpu, words, hold));
        }

        machine.AddTask(machine.Cpus[0], "munmap", () => Unlink(machine.Cpus[0], words, hold));
        return new CheckModel(machine, [new Assertions(), new PAtomic()], ["assert", "P-atomic"]);
    }

    /// <summary>rmap_walk_anon: calls the notifier if some area is linked.</summary>
    [KernelName("rmap_walk_anon")]
    private static async Proc Walk(Cpu cpu, AnonVmaWords anonVma, AnonVmaHold hold)
    {
        if (hold == AnonVmaHold.SleepingLock)
        {
            await cpu.DownRead(anonVma.Rwsem);
        }
        else if (hold == AnonVmaHold.BlindReference)
        {
            await cpu.AddReturn(anonVma.RefCount, 1);
        }
        else
        {
            await cpu.SpinLock(anonVma.Lock);
        }

        bool linked = await cpu.Load(anonVma.Areas, weight: StepWeight.Context) != 0;
        if (linked && hold == AnonVmaHold.Reference)
        {
            await cpu.AddReturn(anonVma.RefCount, 1);
        }

        if (hold is AnonVmaHold.Nothing or AnonVmaHold.Reference)
        {
            await cpu.SpinUnlock(anonVma.Lock);
        }

        if (linked)
        {
            await cpu.MightSleep("mmu_notifier_invalidate_range_start");
            await cpu.Assert(await cpu.Load(anonVma.Freed, weight: StepWeight.Key) == 0, "the anon_vma was not freed");
        }

        await Leave(cpu, anonVma, hold, linked);
    }

    private static async Proc Leave(Cpu cpu, AnonVmaWords anonVma, AnonVmaHold hold, bool linked)
    {
        if (hold == AnonVmaHold.Spinlock)
        {
            await cpu.SpinUnlock(anonVma.Lock);
        }
        else if (hold == AnonVmaHold.SleepingLock)
        {
            await cpu.UpRead(anonVma.Rwsem);
        }
        else if (hold == AnonVmaHold.BlindReference || (hold == AnonVmaHold.Reference && linked))
        {
            await PutAnonVma(cpu, anonVma);
        }
    }

    /// <summary>unlink_anon_vmas: the last area goes, and with it its reference.</summary>
    [KernelName("unlink_anon_vmas")]
    private static async Proc Unlink(Cpu cpu, AnonVmaWords anonVma, AnonVmaHold hold)
    {
        if (hold == AnonVmaHold.SleepingLock)
        {
            await cpu.DownWrite(anonVma.Rwsem);
            await cpu.Store(anonVma.Areas, 0, weight: StepWeight.Context);
            await cpu.UpWrite(anonVma.Rwsem);
        }
        else
        {
            await cpu.SpinLock(anonVma.Lock);
            await cpu.Store(anonVma.Areas, 0, weight: StepWeight.Context);
            await cpu.SpinUnlock(anonVma.Lock);
        }

        await PutAnonVma(cpu, anonVma);
    }

    [KernelName("put_anon_vma")]
    private static async Proc PutAnonVma(Cpu cpu, AnonVmaWords anonVma)
    {
        if (await cpu.AddReturn(anonVma.RefCount, -1) == 0)
        {
            await cpu.Assert(await cpu.Load(anonVma.Freed) == 0, "the anon_vma is freed once");
            await cpu.Store(anonVma.Freed, 1, weight: StepWeight.Key);
        }
    }

    private sealed class AnonVmaWords(MachineModel machine) : MachineHandle(machine)
    {
        public Spinlock Lock { get; } = machine.NewSpinLock("anon_vma.lock");

        public RwSemaphore Rwsem { get; } = machine.NewRwSemaphore("anon_vma.rwsem");

        public Word Areas { get; } = machine.NewWord("anon_vma.areas", 1);

        public Word RefCount { get; } = machine.NewWord("anon_vma.refcount", 1);

        public Word Freed { get; } = machine.NewWord("anon_vma.freed");
    }
}
