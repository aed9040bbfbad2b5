using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What runs beside ksmd.</summary>
public enum KsmPeer
{
    /// <summary>A thread pins the page for a device, which writes to it; then the thread unpins it.</summary>
    Pins,

    /// <summary>A thread stores, through its TLB if it can.</summary>
    Stores,

    /// <summary>A thread forks, then stores.</summary>
    Forks,

    /// <summary>A thread makes the page read-only by mprotect; another one stores.</summary>
    Protects,

    /// <summary>As <see cref="Pins"/>, and the thread looks at its memory before it unpins it.</summary>
    PinsAndLooks,

    /// <summary>
    /// As <see cref="PinsAndLooks"/>, with a plain reference (FOLL_GET) instead of the pin, as O_DIRECT took before 6.5: only the count of
    /// references tells ksmd of the disk.
    /// </summary>
    Refers,

    /// <summary>
    /// The page was given up by MADV_FREE. A thread stores to it, and reclaim frees what has not been stored to since.
    /// </summary>
    Reclaims,
}

/// <summary>
/// The machine of KSM: CPU0 runs ksmd, which merges the page that is mapped with another one of the same contents; the others do what
/// could spoil that.
/// </summary>
public static class KsmStage
{
    /// <summary>The frame of the stable page.</summary>
    internal const int Stable = 1;

    /// <summary>What the disk writes to the page.</summary>
    private const int Data = 7;

    /// <summary>Makes the model.</summary>
    /// <param name="setup">Memory model and TLB.</param>
    /// <param name="parts">Replaced mechanisms.</param>
    /// <param name="peer">What runs beside ksmd.</param>
    /// <param name="cpus">CPUs, at least 2; 3 for <see cref="KsmPeer.Protects"/> and <see cref="KsmPeer.Reclaims"/>.</param>
    /// <param name="decisive">The property that must be judged; null for the assertion that the process reads what the disk wrote.</param>
    public static CheckModel Make(ScenarioSetup setup, KernelParts parts, KsmPeer peer, int cpus, Property? decisive)
    {
        ArgumentNullException.ThrowIfNull(setup);
        bool forks = peer == KsmPeer.Forks;
        MachineOptions options = Stage.FlatOptions(setup, cpus, 1, 4 + cpus) with { Tables = 2 };
        bool reclaims = peer == KsmPeer.Reclaims;
        var build = new KernelOptions { AnonFolios = true, Pins = true, WriteProtectSeq = forks, Lazyfree = reclaims };
        bool protects = peer == KsmPeer.Protects;
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: forks || protects, dirty: !protects && !reclaims, parts, build);
        (KernelModel kernel, Mm mm) = stage;
        BuildStable(kernel, Stable);
        if (reclaims)
        {
            kernel.Machine.SetInitial(kernel.Folios[0].Lazyfree.Address, 1);
        }

        stage.AddKernelThread(0, "ksmd", () => Merge(kernel, stage.Cpu(0), mm));
        DmaEngine? disk = peer is KsmPeer.Pins or KsmPeer.PinsAndLooks or KsmPeer.Refers ? new DmaEngine(kernel.Machine) : null;
        Mm? child = forks ? kernel.NewMm("child", 1) : null;
        for (int index = 1; index < cpus; index++)
        {
            Add(stage, index, peer, disk, child);
        }

        return decisive is null ? stage.ToAssertedModel(setup, new PPin(), new PLife()) : stage.ToModel(setup, decisive, new PLife());
    }

    /// <summary>One page that CPUs store to, and the stable page that it is to be merged with.</summary>
    /// <param name="setup">Memory model, TLB and <c>cpus</c>.</param>
    /// <param name="parts">Replaced mechanisms.</param>
    /// <param name="build">Choices of the kernel's build.</param>
    internal static Stage WithStablePage(ScenarioSetup setup, KernelParts parts, KernelOptions build)
    {
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], 1, 2 + setup["cpus"]) with { Tables = 2 };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, parts, build);
        BuildStable(stage.Kernel, Stable);
        return stage;
    }

    /// <summary>A page of the stable tree, with the reference that the tree holds.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="stable">Its frame.</param>
    internal static void BuildStable(KernelModel kernel, int stable)
    {
        kernel.Machine.Paging.BuildFrame(stable);
        kernel.Machine.SetInitial(kernel.Folios[stable].Frame.RefCount.Address, 1);
    }

    /// <summary>mm/ksm.c: <c>cmp_and_merge_page</c> where the page has been found in the stable tree; its frame has its number.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="cpu">The CPU of ksmd.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="page">The page.</param>
    /// <param name="stable">The frame of the stable page.</param>
    internal static async Proc Merge(KernelModel kernel, Cpu cpu, Mm mm, int page = 0, int stable = Stable)
    {
        if (await cpu.FrameTryGet(page, "follow_page") != 0)
        {
            await kernel.Ksm.TryToMergeWithKsmPage(cpu, mm, page, page, stable);
            await cpu.PutFrames(1UL << page, "put_page");
        }
    }

    private static void Add(Stage stage, int index, KsmPeer peer, DmaEngine? disk, Mm? child)
    {
        Cpu cpu = stage.Cpu(index);
        (KernelModel kernel, Mm mm) = stage;
        if (disk is not null && index == 1)
        {
            GupFlags holds = peer == KsmPeer.Refers ? GupFlags.Get : GupFlags.Pin;
            var call = new GupCall(cpu, mm, 0, holds | GupFlags.Write | GupFlags.FastOnly);
            stage.AddThread(index, "O_DIRECT", () => ReadFromDisk(kernel, call, disk, peer != KsmPeer.Pins));
        }
        else if (child is not null && index == 1)
        {
            Promise promise = stage.Promise(index, 1, PromiseKind.WriteProtected, "fork()");
            stage.AddThread(index, "fork", () => Fork(kernel, cpu, mm, child, promise));
        }
        else if (peer == KsmPeer.Protects && index == 1)
        {
            Promise promise = stage.Promise(index, 1, PromiseKind.WriteProtected, "mprotect()");
            stage.AddThread(index, "mprotect", () => Protect(kernel, cpu, mm, promise));
        }
        else if (peer == KsmPeer.Reclaims && index == 1)
        {
            stage.AddKernelThread(index, "kswapd", () => kernel.Reclaim.ShrinkFolioList(cpu, FrameSet.Of(0), batch: true));
        }
        else
        {
            stage.AddThread(index, "user", () => Stage.StorePages(kernel, cpu, mm, 1));
        }
    }

    private static async Proc ReadFromDisk(KernelModel kernel, GupCall call, DmaEngine disk, bool looks)
    {
        int frame = await kernel.Gup.GupFastFallback(call);
        if (frame >= 0)
        {
            await disk.SubmitWrite(call.Cpu, frame, Data);
            await disk.AwaitCompletion(call.Cpu);
            if (looks)
            {
                int value = await kernel.UserAccess.UserLoadValue(call.Cpu, call.Mm, call.Page);
                await call.Cpu.Assert(value == Data, "the process reads what the disk wrote");
            }

            await kernel.Gup.UnpinUserPage(call, frame);
        }
    }

    private static async Proc Fork(KernelModel kernel, Cpu cpu, Mm mm, Mm child, Promise promise)
    {
        await kernel.Fork.DupMmap(cpu, mm, child, promise);
        await Stage.StorePages(kernel, cpu, mm, 1);
    }

    private static async Proc Protect(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Mprotect.MprotectReadOnly(cpu, mm, promise);
}

/// <summary>replace_page() of Linux: the entry has the rights of the area, without the right to write, and no mark.</summary>
internal sealed class KsmDropsMarks(KernelModel kernel) : Ksm(kernel)
{
    /// <inheritdoc/>
    protected override Pte MkPte(int stable, Pte replaced) => Pte.Leaf(stable, write: false);
}
