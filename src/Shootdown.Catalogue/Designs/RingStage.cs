using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>The machines on which the mistakes of <see cref="FlushRing"/> show.</summary>
internal static class RingStage
{
    /// <summary>A ring of a length on the machine that fits a mistake.</summary>
    /// <param name="mistake">Decides which machine.</param>
    /// <param name="design">The ring that runs on it.</param>
    /// <param name="pages">Pages; half of them are removed by one call, half by another.</param>
    /// <param name="tlb">Representation of TLBs.</param>
    public static Stage Build(RingMistake mistake, FlushRing design, int pages, TlbKind tlb = TlbKind.Lagging) => mistake switch
    {
        RingMistake.LazyNotInterrupted => WithTables(design, pages, tlb, staysLoaded: true),
        RingMistake.TablesReplayedLate => WithTables(design, pages, tlb, staysLoaded: false),
        _ => WithTwoCalls(design, pages, tlb, mistake == RingMistake.ProducersUnordered, mistake == RingMistake.CoalescedPastCeiling),
    };

    /// <summary>The properties that are judged on the machine of a mistake.</summary>
    public static Property[] PropertiesOf(RingMistake mistake)
        => mistake is RingMistake.LazyNotInterrupted or RingMistake.TablesReplayedLate ? [new PLife()] : [new PRet()];

    /// <summary>Slots with which the mistake shows: one where a slot must be used again.</summary>
    public static int SlotsOf(RingMistake mistake) => mistake is RingMistake.LagUnchecked or RingMistake.TornSlot ? 1 : 2;

    /// <summary>Two small madvise calls, by one CPU or by two; another CPU switches away and back, and loads.</summary>
    private static Stage WithTwoCalls(FlushRing design, int pages, TlbKind tlb, bool twoProducers, bool lowCeiling)
    {
        var options = new MachineOptions
        {
            Cpus = twoProducers ? 3 : 2,
            EntriesPerTable = pages,
            Tables = 2,
            Frames = pages * 2,
            FrameColours = pages,
            Asids = 2,
            Tlb = tlb,
        };
        var build = new KernelOptions { FlushCeiling = lowCeiling ? 1 : 33 };
        var kernel = new KernelModel(new MachineModel(options), build, design.Apply(new KernelParts()));
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, true, true));
        }

        Mm other = kernel.NewMm("other", pages, mmapWriters: false);
        var stage = new Stage(kernel, mm);
        int half = pages / 2;
        Promise first = new(stage.Machine, stage.Cpu(0), mm.Space, 0, half, PromiseKind.Removed, "madvise()");
        int secondCpu = twoProducers ? 2 : 0;
        Promise second = new(stage.Machine, stage.Cpu(secondCpu), mm.Space, half, pages - half, PromiseKind.Removed, "madvise()");
        stage.AddThread(1, "user", () => ComeBack(kernel, stage.Cpu(1), mm, other, pages));
        if (twoProducers)
        {
            stage.AddKernelThread(0, "unmap", () => UnmapPages(kernel, stage.Cpu(0), mm, first));
            stage.AddKernelThread(2, "unmap", () => UnmapPages(kernel, stage.Cpu(2), mm, second));
        }
        else
        {
            stage.AddThread(0, "madvise", () => DiscardBoth(kernel, stage.Cpu(0), mm, first, second));
        }

        return stage;
    }

    /// <summary>munmap frees a page table; another CPU is lazy or away meanwhile, and its walker runs ahead.</summary>
    private static Stage WithTables(FlushRing design, int pages, TlbKind tlb, bool staysLoaded)
    {
        var options = new MachineOptions
        {
            Cpus = 2,
            EntriesPerTable = pages,
            Levels = 2,
            Tables = 4,
            Frames = pages * 2,
            FrameColours = pages,
            Asids = 2,
            Tlb = tlb,
        };
        var kernel = new KernelModel(new MachineModel(options), new KernelOptions(), design.Apply(new KernelParts()));
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: true);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, true, true));
        }

        Mm other = kernel.NewMm("other", pages, mmapWriters: false);
        var stage = new Stage(kernel, mm);
        Word away = stage.Machine.NewWord("away");
        stage.AddThread(0, "user", () => BeElsewhere(kernel, stage.Cpu(0), mm, other, staysLoaded, away));
        stage.AddPageWalker(0);
        Promise promise = stage.Promise(1, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(1, "munmap", () => UnmapWhenAway(kernel, stage.Cpu(1), mm, promise, away));
        return stage;
    }

    private static async Proc ComeBack(KernelModel kernel, Cpu cpu, Mm mm, Mm other, int pages)
    {
        await kernel.SwitchMm.SwitchTo(cpu, other);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await Stage.LoadPages(kernel, cpu, mm, pages);
    }

    private static async Proc BeElsewhere(KernelModel kernel, Cpu cpu, Mm mm, Mm other, bool staysLoaded, Word away)
    {
        if (staysLoaded)
        {
            await kernel.LazyTlb.EnterLazyTlb(cpu);
        }
        else
        {
            await kernel.SwitchMm.SwitchTo(cpu, other);
        }

        await cpu.Store(away, 1);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
    }

    /// <summary>
    /// Not before the other CPU is elsewhere: a walker in the middle of a switch meets what docs/soundness.md calls the window of
    /// 6.12, ring or not.
    /// </summary>
    private static async Proc UnmapWhenAway(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, Word away)
    {
        await cpu.WaitUntil(away, Condition.Equal, 1);
        await kernel.Munmap.DoMunmap(cpu, mm, promise);
    }

    /// <summary>The least that a call can do: clears entries under the lock, flushes behind it.</summary>
    private static async Proc UnmapPages(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await cpu.BeginPromise(promise);
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, promise.FirstPage);
        for (int page = promise.FirstPage; page < promise.FirstPage + promise.PageCount; page++)
        {
            await kernel.PteOps.PtepGetAndClear(cpu, table, page);
        }

        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        await kernel.TlbFlush.FlushTlbMmRange(cpu, mm, PageRange.Of(promise.FirstPage, promise.PageCount), 0, false);
        await cpu.ReturnPromise(promise);
    }

    private static async Proc DiscardBoth(KernelModel kernel, Cpu cpu, Mm mm, Promise first, Promise second)
    {
        await kernel.Madvise.MadviseDontneed(cpu, mm, first);
        await kernel.Madvise.MadviseDontneed(cpu, mm, second);
    }
}
