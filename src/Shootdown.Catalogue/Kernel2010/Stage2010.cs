using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A machine with the kernel of 2010 and processes that move between its CPUs, each with pages of its own.</summary>
public sealed class Stage2010 : MachineHandle
{
    private Stage2010(KernelModel kernel, Design2010 design, int processes, int pages)
        : base(kernel.Machine)
    {
        Kernel = kernel;
        Design = design;
        Pages = pages;
        Unmap = new Unmap2010(kernel, design, processes);
        Scheduler = new Scheduler(kernel);
    }

    /// <summary>The kernel.</summary>
    public KernelModel Kernel { get; }

    /// <summary>What was chosen.</summary>
    public Design2010 Design { get; }

    /// <summary>Pages of every process.</summary>
    public int Pages { get; }

    /// <summary>Unmapping.</summary>
    public Unmap2010 Unmap { get; }

    /// <summary>The scheduler.</summary>
    public Scheduler Scheduler { get; }

    /// <summary>Makes the machine; processes are added next.</summary>
    /// <param name="design">The choices.</param>
    /// <param name="cpus">CPUs.</param>
    /// <param name="processes">Processes at most.</param>
    /// <param name="pages">Pages of each.</param>
    /// <param name="sleepsInAtomic">True if sleeping in atomic context is let through.</param>
    /// <param name="tlb">Representation of TLBs.</param>
    /// <param name="model">Memory model.</param>
    public static Stage2010 Make(
        Design2010 design,
        int cpus,
        int processes,
        int pages,
        bool sleepsInAtomic,
        TlbKind tlb = TlbKind.Lagging,
        MemoryModelKind model = MemoryModelKind.Sc)
    {
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = cpus,
            EntriesPerTable = pages,
            Tables = processes,
            Frames = processes * pages,
            FrameColours = pages,
            Tlb = tlb,
            Model = model,
            SleepsInAtomic = sleepsInAtomic,
        });
        var kernel = new KernelModel(machine, null, new KernelParts { MmuGather = made => new Gather2010(made, design) });
        return new Stage2010(kernel, design, processes, pages);
    }

    /// <summary>A process that waits for an idle CPU, runs a program there, and ends.</summary>
    /// <param name="name">Name, e.g. <c>A: munmap</c>.</param>
    /// <param name="call">What it does.</param>
    public Mm AddProcess(string name, Call2010 call)
    {
        int index = Kernel.Mms.Count;
        Mm mm = Kernel.NewMm($"mm{index}", Pages);
        for (int page = 0; page < Pages; page++)
        {
            Kernel.BuildMapping(mm, page, Pte.Leaf((index * Pages) + page, write: true, dirty: true));
        }

        GatherWords stack = GatherWords.OnStack(Machine, $"mm{index}.tlb");
        ulong all = (1UL << Machine.Cpus.Count) - 1;
        Machine.AddMovableTask(name, all, task => Run(this, new Task2010(task, mm, stack), call));
        return mm;
    }

    /// <summary>The model with its properties, all of which must be judged, and the kernel's assertions.</summary>
    public CheckModel ToModel(params IReadOnlyList<Property> properties)
    {
        ArgumentNullException.ThrowIfNull(properties);
        ImmutableArray<string> ids = [.. properties.Select(property => property.Id)];
        return new CheckModel(Machine, [.. properties, new Assertions()], ids);
    }

    /// <summary>mm/mmap.c: <c>do_munmap</c> of all pages, then a look at the first one, which must fault.</summary>
    [KernelName("do_munmap")]
    public async Proc<Cpu> MunmapAndLook(Cpu cpu, Task2010 task)
    {
        await Kernel.MmapLock.MmapWriteLock(cpu, task.Mm);
        await cpu.Store(task.Mm.Vmas, 0);
        cpu = await Unmap.UnmapRegion(cpu, task, 0, Pages);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, task.Mm);
        for (int page = 0; page < Pages; page++)
        {
            await Kernel.UserAccess.UserLoad(cpu, task.Mm, page);
        }

        return cpu;
    }

    /// <summary>mm/truncate.c: <c>truncate_setsize</c>, as far as it unmaps.</summary>
    [KernelName("vmtruncate")]
    public async Proc<Cpu> TruncateAndUnmap(Cpu cpu, Task2010 task) => await Unmap.UnmapMappingRange(cpu, task, 0, Pages);

    /// <summary>mm/vmscan.c: reclaim of the first page.</summary>
    [KernelName("shrink_page_list")]
    public async Proc<Cpu> ReclaimPage(Cpu cpu, Task2010 task) => await Unmap.TryToUnmapAnon(cpu, task, 0);

    [KernelName]
    private static async Proc Run(Stage2010 stage, Task2010 task, Call2010 call)
    {
        Cpu cpu = await stage.Scheduler.ContextSwitch(task.Task, task.Mm);
        cpu = call switch
        {
            Call2010.Munmap => await stage.MunmapAndLook(cpu, task),
            Call2010.Truncate => await stage.TruncateAndUnmap(cpu, task),
            _ => await stage.ReclaimPage(cpu, task),
        };
        await stage.Scheduler.DoExit(cpu, task.Task);
    }
}

/// <summary>What a process of the 2010 kernel does.</summary>
public enum Call2010
{
    /// <summary>Unmaps its memory and looks at it.</summary>
    Munmap,

    /// <summary>Truncates a file that it maps.</summary>
    Truncate,

    /// <summary>Reclaims its first page.</summary>
    Reclaim,
}
