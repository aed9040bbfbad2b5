using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>One machine of seed 000's table: who flushes what where while what else goes on.</summary>
/// <param name="Primary">Where the CPUs' TLBs are flushed.</param>
/// <param name="Secondary">Where the secondary ones are.</param>
/// <param name="Reference">How long the caller holds a reference of its own.</param>
/// <param name="Peer">What runs beside it.</param>
public sealed record UnmapModel(PrimaryFlush Primary, SecondaryFlush Secondary, ReferenceHeld Reference, UnmapPeer Peer)
{
    private const int NewValue = 5;

    /// <summary>True if the caller holds the page lock.</summary>
    public bool PageLock { get; init; } = true;

    /// <summary>True if the end of every other range implies <c>invalidate_range</c>, as it did from 4.14 to 6.5.</summary>
    public bool OthersImply { get; init; } = true;

    /// <summary>True if the device has a TLB of its own.</summary>
    public bool Ats { get; init; }

    /// <summary>Memory model.</summary>
    public MemoryModelKind Model { get; init; } = MemoryModelKind.Sc;

    /// <summary>Representation of TLBs.</summary>
    public TlbKind Tlb { get; init; } = TlbKind.Lagging;

    /// <summary>Pages, all of them covered by what runs beside reclaim.</summary>
    public int Pages { get; init; } = 1;

    /// <summary>Pages that reclaim unmaps, from the first on.</summary>
    public int Unmapped { get; init; } = 1;

    /// <summary>CPUs: reclaim, what runs beside it, and user threads.</summary>
    public int Cpus { get; init; } = Peer == UnmapPeer.Migration ? 3 : 2;

    /// <summary>
    /// What tells the machine from others, e.g. <c>ptl/range-end, ref to flush, munmap</c>: where the CPUs and where the device are
    /// flushed, how long the caller holds a reference, what runs beside it, and what else is unusual.
    /// </summary>
    public string Name => string.Join(", ",
        [
            $"{Short(Primary)}/{Short(Secondary)}",
            Short(Reference),
            Peer == UnmapPeer.MunmapMmap ? "munmap" : Peer.ToString().ToLowerInvariant(),
            .. PageLock ? (string[])[] : ["no page lock"],
            .. OthersImply ? (string[])[] : ["no implied call"],
            .. Ats ? (string[])["ATS"] : [],
        ]);

    /// <summary>The machine with its programs, judged when calls return and frames are freed too.</summary>
    public CheckModel Build()
    {
        Stage stage = BuildStage();
        var knowledge = new KernelFlushKnowledge(stage.Kernel);
        Property[] copies = Peer == UnmapPeer.Migration ? [new PCopy()] : [];
        return new CheckModel(stage.Machine, [new PRet(knowledge: knowledge), new PLife(knowledge), .. copies, new Assertions()], ["P-life"]);
    }

    /// <summary>The machine with its programs.</summary>
    /// <param name="bind">Binds the device, if not <see cref="DeviceStage.BindDevice"/>.</param>
    public Stage BuildStage(Func<Stage, IommuSva>? bind = null)
    {
        Stage stage = MakeStage();
        (KernelModel kernel, Mm mm) = stage;
        var unmap = new UnmapPlacement(kernel, Primary, Secondary, Reference, PageLock);
        Device device = (bind is null ? stage.BindDevice(Ats) : bind(stage)).Device;
        int unmapped = Unmapped;
        stage.AddKernelThread(0, "reclaim", () => ShrinkPages(unmap, stage.Cpu(0), mm, unmapped));
        AddPeer(stage, device);
        for (int i = Peer == UnmapPeer.None ? 1 : 2; i < Cpus; i++)
        {
            Cpu user = stage.Cpu(i);
            int pages = Pages;
            stage.AddThread(i, "user", () => Stage.LoadPages(kernel, user, mm, pages));
        }

        return stage;
    }

    private static string Short(PrimaryFlush flush) => flush switch
    {
        PrimaryFlush.UnderLock => "ptl",
        PrimaryFlush.AfterLock => "after-ptl",
        _ => "batched",
    };

    private static string Short(SecondaryFlush flush) => flush switch
    {
        SecondaryFlush.BeforeClear => "before-clear",
        SecondaryFlush.UnderLock => "ptl",
        SecondaryFlush.AfterLock => "after-ptl",
        SecondaryFlush.RangeEnd => "range-end",
        SecondaryFlush.Both => "both",
        _ => "never",
    };

    private static string Short(ReferenceHeld reference) => reference switch
    {
        ReferenceHeld.No => "no ref",
        ReferenceHeld.UntilUnlock => "ref to unlock",
        ReferenceHeld.UntilRangeEnd => "ref to end",
        _ => "ref to flush",
    };

    private static async Proc ShrinkPages(UnmapPlacement unmap, Cpu cpu, Mm mm, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await unmap.ShrinkPage(cpu, mm, page, page);
        }
    }

    private void AddPeer(Stage stage, Device device)
    {
        (KernelModel kernel, Mm mm) = stage;
        int pages = Pages;
        UnmapPeer peer = Peer;
        if (peer == UnmapPeer.Fault)
        {
            Word doorbell = stage.Machine.NewWord("doorbell");
            stage.AddThread(1, "user", () => StoreAndRing(kernel, stage.Cpu(1), mm, doorbell));
            device.AddProgram(() => LoadWhenRung(device, doorbell));
            return;
        }

        Promise? promise = PromiseOf(stage);
        if (peer == UnmapPeer.Migration)
        {
            stage.AddKernelThread(1, "compaction", () => kernel.Migrate.CompactZone(stage.Cpu(1), 0, 1, false));
        }
        else if (peer != UnmapPeer.None)
        {
            stage.AddThread(1, RoleOf(peer), () => CallThenAccess(kernel, stage.Cpu(1), mm, peer, promise, pages));
        }

        bool stores = peer is UnmapPeer.Mprotect or UnmapPeer.Migration;
        device.AddProgram(() => stores ? DeviceStage.StorePages(device, pages) : DeviceStage.LoadPages(device, pages));
    }

    private static string RoleOf(UnmapPeer peer) => peer switch
    {
        UnmapPeer.Dontneed => "madvise",
        UnmapPeer.Mprotect => "mprotect",
        _ => "munmap",
    };

    private Stage MakeStage()
    {
        var setup = new ScenarioSetup(Variant.Fix, Model, Tlb, new Dictionary<string, int>());
        MachineOptions options = Stage.FlatOptions(setup, Cpus, Pages, 4) with { Devices = 1 };
        bool writers = Peer is UnmapPeer.Mprotect or UnmapPeer.MunmapMmap;
        Stage stage = Stage.WithMappedPages(
            options, Pages, writers, dirty: true, DeviceStage.InvalidateRangeParts(OthersImply), new KernelOptions { AnonFolios = true });
        return stage;
    }

    private Promise? PromiseOf(Stage stage) => Peer switch
    {
        UnmapPeer.Dontneed or UnmapPeer.MunmapMmap => stage.Promise(1, Pages, PromiseKind.Removed, $"{RoleOf(Peer)}()"),
        UnmapPeer.Mprotect => stage.Promise(1, Pages, PromiseKind.WriteProtected, "mprotect()"),
        _ => null,
    };

    private static async Proc CallThenAccess(KernelModel kernel, Cpu cpu, Mm mm, UnmapPeer peer, Promise? promise, int pages)
    {
        switch (peer)
        {
            case UnmapPeer.Dontneed:
                await kernel.Madvise.MadviseDontneed(cpu, mm, promise!);
                break;
            case UnmapPeer.Mprotect:
                await kernel.Mprotect.MprotectReadOnly(cpu, mm, promise!);
                await Stage.StorePages(kernel, cpu, mm, pages);
                return;
            case UnmapPeer.MunmapMmap:
                await kernel.Munmap.DoMunmap(cpu, mm, promise!);
                await MapAgain(kernel, cpu, mm, pages);
                break;
        }

        await Stage.LoadPages(kernel, cpu, mm, pages);
    }

    [KernelName("mmap")]
    private static async Proc MapAgain(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await kernel.MmapLock.FindVma(cpu, mm);
        await cpu.Store(mm.Vmas, areas.With(0, pages).Bits);
        await kernel.MmapLock.MmapWriteUnlock(cpu, mm);
    }

    private static async Proc StoreAndRing(KernelModel kernel, Cpu cpu, Mm mm, Word doorbell)
    {
        await kernel.UserAccess.UserStore(cpu, mm, 0, NewValue);
        await cpu.Exchange(doorbell, 1, StepWeight.Key);
    }

    private static async Proc LoadWhenRung(Device device, Word doorbell)
    {
        await device.AwaitDoorbell(doorbell);
        AccessResult seen = await device.AccessLoad(0);
        await device.Assert(seen.Faulted || seen.Value == NewValue, "the device reads what the CPU stored before it rang");
    }
}
