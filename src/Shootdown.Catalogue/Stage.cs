using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A machine with a kernel and one address space: what most scenarios start from.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Mm">The address space.</param>
public sealed record Stage(KernelModel Kernel, Mm Mm)
{
    /// <summary>The machine.</summary>
    public MachineModel Machine => Kernel.Machine;

    /// <summary>A CPU.</summary>
    public Cpu Cpu(int index) => Machine.Cpus[index];

    /// <summary>Sizes for one level of tables, with enough frames and pages that never exchange frames.</summary>
    /// <param name="setup">What is asked for.</param>
    /// <param name="cpus">CPUs.</param>
    /// <param name="pages">Pages of the address space.</param>
    /// <param name="framesPerPage">Frames that one page can use at the same time, those that wait to be freed
    /// included.</param>
    public static MachineOptions FlatOptions(ScenarioSetup setup, int cpus, int pages, int framesPerPage)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return new MachineOptions
        {
            Cpus = cpus,
            EntriesPerTable = pages,
            Frames = pages * framesPerPage,
            FrameColours = pages,
            Model = setup.Model,
            Tlb = setup.Tlb,
        };
    }

    /// <summary>A new address space in which frame p is mapped at page p, writable.</summary>
    /// <param name="options">Sizes.</param>
    /// <param name="pages">Mapped pages.</param>
    /// <param name="mmapWriters">False if no program takes mmap_lock for writing.</param>
    /// <param name="dirty">True if the pages were stored to, so that a TLB may let stores through without a
    /// walk.</param>
    /// <param name="parts">Replaced mechanisms.</param>
    /// <param name="build">Choices of the kernel's build.</param>
    public static Stage WithMappedPages(
        MachineOptions options,
        int pages,
        bool mmapWriters,
        bool dirty,
        KernelParts? parts = null,
        KernelOptions? build = null)
    {
        var kernel = new KernelModel(new MachineModel(options), build, parts);
        Mm mm = kernel.NewMm("mm", pages, mmapWriters);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: true, dirty));
        }

        return new Stage(kernel, mm);
    }

    /// <summary>
    /// A new address space in which one huge page is mapped: frame p at page p. There are two levels of tables, and no leaf
    /// table at first.
    /// </summary>
    /// <param name="options">Sizes for one level of tables.</param>
    /// <param name="pages">Small pages of the huge page.</param>
    /// <param name="leaf">The entry: rights and dirtiness.</param>
    /// <param name="parts">Replaced mechanisms.</param>
    /// <param name="zero">True if the page is the huge zero page.</param>
    public static Stage WithHugePage(MachineOptions options, int pages, Pte leaf, KernelParts? parts = null, bool zero = false)
    {
        ArgumentNullException.ThrowIfNull(options);
        var machine = new MachineModel(options with { Levels = 2, Tables = options.Cpus + 2 });
        var kernel = new KernelModel(machine, new KernelOptions { Thp = true, HugeZeroPage = zero }, parts);
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        kernel.BuildHugeMapping(mm, 0, leaf);
        return new Stage(kernel, mm);
    }

    /// <summary>
    /// A new address space that shares a file: frame p is cached as page p of the file and mapped at page p, writable and
    /// dirty, as a store leaves it. Memory of a driver is mapped in the same way, but nothing counts its users; pages of a
    /// private mapping are clean, and not mapped yet.
    /// </summary>
    /// <param name="options">Sizes.</param>
    /// <param name="pages">Mapped pages.</param>
    /// <param name="mmapWriters">False if no program takes mmap_lock for writing.</param>
    /// <param name="kind">Page cache, shared or private, or memory of a driver.</param>
    /// <param name="parts">Replaced mechanisms.</param>
    /// <param name="build">Choices of the kernel's build.</param>
    /// <param name="dirty">False if the pages of a shared file are clean, and mapped writable all the same: as loads map shmem.</param>
    public static Stage WithMappedFile(
        MachineOptions options, int pages, bool mmapWriters, FileAreaKind kind, KernelParts? parts = null, KernelOptions? build = null,
        bool dirty = true)
    {
        var kernel = new KernelModel(new MachineModel(options), (build ?? new KernelOptions()) with { Files = true }, parts);
        Mm mm = kernel.NewMm("mm", pages, mmapWriters);
        FileMapping file = kernel.NewFile(kind == FileAreaKind.PfnMap ? "object" : "file", pages);
        _ = kind switch
        {
            FileAreaKind.Shared => mm.AddSharedFileArea(file, 0, pages, 0),
            FileAreaKind.Private => mm.AddPrivateFileArea(file, 0, pages, 0),
            _ => mm.AddPfnMapArea(file, 0, pages, 0),
        };
        bool isPrivate = kind == FileAreaKind.Private;
        for (int page = 0; page < pages; page++)
        {
            if (kind != FileAreaKind.PfnMap)
            {
                kernel.BuildCached(file, page, page);
                kernel.Machine.SetInitial(kernel.Folios[page].Frame.Dirty.Address, isPrivate || !dirty ? 0UL : 1);
            }

            if (!isPrivate)
            {
                kernel.BuildMapping(mm, page, Pte.Leaf(page, write: true, dirty));
            }
        }

        return new Stage(kernel, mm);
    }

    /// <summary>The frames of the pages of <see cref="WithMappedPages"/>: the LRU list that reclaim starts from.</summary>
    public static ulong MappedFrames(int pages) => (1UL << pages) - 1;

    /// <summary>A promise about all pages from the first on.</summary>
    public Promise Promise(int cpu, int pages, PromiseKind kind, string function)
        => new(Machine, Cpu(cpu), Mm.Space, 0, pages, kind, function);

    /// <summary>Starts a task on a CPU that runs a thread of the address space.</summary>
    public void AddThread(int cpu, string role, Func<Proc> program)
    {
        Kernel.BuildRunning(Cpu(cpu), Mm);
        Machine.AddTask(Cpu(cpu), role, program);
    }

    /// <summary>Starts a task on a CPU that runs on kernel page tables (kswapd and the like).</summary>
    public void AddKernelThread(int cpu, string role, Func<Proc> program) => Machine.AddTask(Cpu(cpu), role, program);

    /// <summary>The CPU's page walker runs ahead, at any time and for any page.</summary>
    public void AddPageWalker(int cpu)
        => Machine.AddAgent("page walker", AgentKind.Hardware, Cpu(cpu), true, () => RunAhead(Cpu(cpu)));

    /// <summary>A user thread that loads from every page once.</summary>
    public static Proc LoadPages(KernelModel kernel, Cpu cpu, Mm mm, int pages) => LoadPages(kernel, cpu, mm, 0, pages);

    /// <summary>A user thread that loads from every page of a range once.</summary>
    public static async Proc LoadPages(KernelModel kernel, Cpu cpu, Mm mm, int first, int count)
    {
        for (int page = first; page < first + count; page++)
        {
            await kernel.UserAccess.UserLoad(cpu, mm, page);
        }
    }

    /// <summary>A user thread that stores to every page once.</summary>
    public static Proc StorePages(KernelModel kernel, Cpu cpu, Mm mm, int pages) => StorePages(kernel, cpu, mm, 0, pages);

    /// <summary>A user thread that stores to every page of a range once.</summary>
    public static async Proc StorePages(KernelModel kernel, Cpu cpu, Mm mm, int first, int count)
    {
        for (int page = first; page < first + count; page++)
        {
            await kernel.UserAccess.UserStore(cpu, mm, page, 1);
        }
    }

    /// <summary>The model with its properties, all of which must be judged, and the kernel's assertions.</summary>
    public CheckModel ToModel(params IReadOnlyList<Property> properties)
    {
        ArgumentNullException.ThrowIfNull(properties);
        string[] mustExercise = [.. properties.Select(property => property.Id)];
        return new CheckModel(Machine, [.. properties, new Assertions()], mustExercise);
    }

    /// <summary>
    /// The model of a bug that breaks an assertion, and of its fix, which is judged by the properties too.
    /// </summary>
    /// <param name="setup">Says which variant it is.</param>
    /// <param name="others">What the fix is judged by besides, as far as its programs come to it.</param>
    public CheckModel ToAssertedModel(ScenarioSetup setup, params IReadOnlyList<Property> others)
    {
        ArgumentNullException.ThrowIfNull(setup);
        var assertions = new Assertions();
        return new CheckModel(Machine, [.. setup.IsBug ? [] : others, assertions], [assertions.Id]);
    }

    /// <summary>
    /// The model of a bug and its fix: the bug violates one property; the fix must satisfy the others too.
    /// </summary>
    /// <param name="setup">Says which variant it is.</param>
    /// <param name="decisive">The property that the bug violates; it must be judged.</param>
    /// <param name="others">What the fix is judged by besides, as far as its programs come to it.</param>
    public CheckModel ToModel(ScenarioSetup setup, Property decisive, params IReadOnlyList<Property> others)
    {
        ArgumentNullException.ThrowIfNull(setup);
        ArgumentNullException.ThrowIfNull(decisive);
        IReadOnlyList<Property> more = setup.IsBug ? [] : others;
        return new CheckModel(Machine, [decisive, .. more, new Assertions()], [decisive.Id]);
    }

    private static async Proc RunAhead(Cpu cpu) => await cpu.SpeculativeWalks();
}
