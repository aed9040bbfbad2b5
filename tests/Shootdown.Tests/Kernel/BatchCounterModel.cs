using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Kernel;

/// <summary>Programs that make the counters of <c>mm->tlb_flush_batched</c> start again.</summary>
internal static class BatchCounterModel
{
    /// <summary>
    /// Some CPUs unmap pages in batches; another one discards a page that it finds unmapped already and loads from it.
    /// </summary>
    public static CheckModel Reclaimers(int bits, int reclaimers, int pagesEach, bool restarts)
    {
        int pages = reclaimers * pagesEach;
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = reclaimers + 1,
            EntriesPerTable = pages,
            Frames = 2 * pages,
            FrameColours = pages,
        });
        KernelModel kernel = NewKernel(machine, bits, restarts);
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        for (int page = 0; page < pages; page++)
        {
            machine.Paging.BuildMapping(mm.Space, page, Pte.Leaf(page, write: true, dirty: false));
        }

        for (int index = 0; index < reclaimers; index++)
        {
            Cpu cpu = machine.Cpus[index];
            int first = index * pagesEach;
            machine.AddTask(cpu, "reclaim", () => kernel.Reclaim.ShrinkFolioList(cpu, Stage.MappedFrames(pagesEach) << first, true));
        }

        Cpu user = machine.Cpus[reclaimers];
        kernel.BuildRunning(user, mm);
        var promise = new Promise(machine, user, mm.Space, 0, 1, PromiseKind.Removed, "madvise()");
        machine.AddTask(user, "madvise", () => DiscardAndLoad(kernel, user, mm, promise));
        return new CheckModel(machine, [new PRet(), new PLife(), new Assertions()], ["P-ret"]);
    }

    /// <summary>Every sequence of requests and checks: the word says that a flush is owed exactly if one is.</summary>
    public static CheckModel Sequences(int bits, int length, bool restarts)
    {
        var machine = new MachineModel(new MachineOptions { Cpus = 1, EntriesPerTable = 1, Frames = 1 });
        KernelModel kernel = NewKernel(machine, bits, restarts);
        Mm mm = kernel.NewMm("mm", 1, mmapWriters: false);
        kernel.BuildRunning(machine.Cpus[0], mm);
        machine.AddTask(machine.Cpus[0], "sequence", () => RequestOrCheck(kernel, machine.Cpus[0], mm, bits, length));
        return new CheckModel(machine, [new Assertions()]);
    }

    private static KernelModel NewKernel(MachineModel machine, int bits, bool restarts)
        => new(
            machine,
            new KernelOptions { BatchCounterBits = bits },
            restarts ? null : new KernelParts { TlbBatch = kernel => new NeverRestarts(kernel) });

    private static async Proc DiscardAndLoad(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        await kernel.UserAccess.UserLoad(cpu, mm, 0);
    }

    private static async Proc RequestOrCheck(KernelModel kernel, Cpu cpu, Mm mm, int bits, int length)
    {
        bool isOwed = false;
        ulong mask = (1UL << bits) - 1;
        for (int i = 0; i < length; i++)
        {
            isOwed = await cpu.Choose(2, "a request or a check") == 0;
            if (isOwed)
            {
                await kernel.TlbBatch.SetTlbUbcFlushPending(cpu, mm, Pte.Leaf(0, write: false));
            }
            else
            {
                await kernel.TlbBatch.FlushTlbBatchedPending(cpu, mm);
            }

            ulong batch = await cpu.Load(mm.TlbFlushBatched);
            await cpu.Assert((batch & mask) != batch >> 16 == isOwed, "pending differs from flushed if a flush is owed");
        }
    }

    /// <summary>The counters without the check for large values.</summary>
    private sealed class NeverRestarts(KernelModel kernel) : TlbBatch(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc IncFlushBatched(Cpu cpu, Mm mm) => await cpu.AddReturn(mm.TlbFlushBatched, 1);
    }
}
