using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Two MADV_DONTNEED of today's kernel with a notifier: the gather, and with it mm->tlb_flush_pending, before or behind range_start.</summary>
internal static class PendingOrder
{
    /// <summary>The run, judged by P-ret.</summary>
    internal static SeedRun Run(string name, bool notifierFirst)
        => SeedRun.OfModel(name, $"dontneed x dontneed, notifier, notifierFirst={notifierFirst}", () => Build(notifierFirst));

    private static CheckModel Build(bool notifierFirst)
    {
        var options = new MachineOptions { Cpus = 2, EntriesPerTable = 1, Frames = 3 };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true);
        _ = new Listener(stage.Kernel, stage.Mm);
        for (int index = 0; index < 2; index++)
        {
            Cpu cpu = stage.Cpu(index);
            Promise promise = stage.Promise(index, 1, PromiseKind.Removed, "madvise()");
            stage.AddThread(index, "madvise", () => Discard(stage.Kernel, cpu, stage.Mm, promise, notifierFirst));
        }

        return stage.ToModel(new PRet());
    }

    [KernelName("madvise_dontneed_single_vma")]
    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, bool notifierFirst)
    {
        await cpu.BeginPromise(promise);
        if (notifierFirst)
        {
            await kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, 0, 1);
        }

        TlbGather tlb = await kernel.MmuGather.TlbGatherMmu(cpu, mm);
        if (!notifierFirst)
        {
            await kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, 0, 1);
        }

        await kernel.Zap.UnmapPageRange(tlb, 0, 1, null);
        await kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, 0, 1);
        await kernel.MmuGather.TlbFinishMmu(tlb);
        await cpu.ReturnPromise(promise);
        await kernel.UserAccess.UserLoad(cpu, mm, 0);
    }

    /// <summary>A notifier that counts invalidations under way: a step in each callback.</summary>
    private sealed class Listener(KernelModel kernel, Mm mm) : MmuNotifierSubscription(kernel, mm, "listener")
    {
        private readonly Word _active = kernel.Machine.NewWord("listener.active");

        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            await cpu.MightSleep("invalidate_range_start()");
            await cpu.AddReturn(_active, 1);
            return true;
        }

        public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range) => await cpu.AddReturn(_active, -1);
    }
}
