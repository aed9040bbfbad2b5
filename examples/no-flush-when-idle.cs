#:project ../src/Shootdown.Cli/Shootdown.Cli.csproj
#:property PublishAot=false
#:property Optimize=true

using Shootdown.Catalogue;
using Shootdown.Cli;
using Shootdown.Kernel;
using Shootdown.Machine;

return ShootdownApp.Pairs(args);

/// <summary>A proposal: while nobody else zaps, madvise() need not look for flushes that reclaim put off.</summary>
sealed class NoFlushWhenIdle : KernelPatch
{
    public override string Id => "no-flush-when-idle";

    public override KernelParts Apply(KernelParts parts) => parts with { Zap = kernel => new ZapTrustsItsCount(kernel) };

    private sealed class ZapTrustsItsCount(KernelModel kernel) : Zap(kernel)
    {
        /// <summary>mm/memory.c: the call in zap_pte_range, made conditional.</summary>
        protected override async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        {
            if (await cpu.Load(mm.TlbFlushPending) > 1)
            {
                await base.FlushTlbBatchedPending(cpu, mm);
            }
        }
    }
}

/// <summary>An operation that the library does not have: a driver takes pages from a process and frees them itself.</summary>
sealed class TakePages : MmOperation
{
    public override string Id => "take-pages";

    public override string Role => "driver";

    public override PromiseKind? Promises => PromiseKind.Removed;

    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    public override async Proc Run(OperationCall call)
    {
        await call.Cpu.BeginPromise(call.Promise);
        await call.Kernel.MmapLock.MmapReadLock(call.Cpu, call.Mm);
        if (call.Mm.HasNotifiers)
        {
            await call.Kernel.MmuNotifier.InvalidateRangeStart(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
        }

        for (int page = call.FirstPage; page < call.FirstPage + call.PageCount; page++)
        {
            PageTable table = await call.Kernel.PageWalk.PteOffsetMapLock(call.Cpu, call.Mm, page);
            if (table.Index < 0)
            {
                continue;
            }

            await call.Kernel.TlbBatch.FlushTlbBatchedPending(call.Cpu, call.Mm);
            Pte old = await call.Cpu.EntryRead(table, page);
            if (old.MapsFrame)
            {
                old = await call.Kernel.PteOps.PtepClearFlush(call.Cpu, call.Mm, table, page);
            }
            else if (!old.IsNone)
            {
                // A swap or migration entry: what it stands for would come back.
                await call.Kernel.PteOps.PteClear(call.Cpu, table, page);
            }

            await call.Kernel.PageWalk.PteUnmapUnlock(call.Cpu, table);
            if (old.MapsFrame)
            {
                await call.Cpu.PutFrames(1UL << old.Frame, "put_page");
            }
        }

        // Who found an entry empty does not know whether whoever emptied it has flushed.
        if (await call.Cpu.Load(call.Mm.TlbFlushPending) != 0)
        {
            await call.Kernel.TlbFlush.FlushTlbMm(call.Cpu, call.Mm);
        }

        if (call.Mm.HasNotifiers)
        {
            await call.Kernel.MmuNotifier.InvalidateRangeEnd(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
        }

        await call.Kernel.MmapLock.MmapReadUnlock(call.Cpu, call.Mm);
        await call.Cpu.ReturnPromise(call.Promise);
    }
}
