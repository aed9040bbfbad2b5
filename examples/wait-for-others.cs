using Shootdown.Kernel;
using Shootdown.Machine;

/// <summary>A gather that finds others under way waits for their flushes instead of flushing everything itself.</summary>
sealed class WaitForOthers : FlushDesign
{
    public override string Id => "wait-for-others";

    public override string Title => "a gather waits until all others have flushed";

    public override int Year => 2026;

    public override string Source => "docs/designs.md";

    public override string Story =>
        "Linux flushes the whole address space if another gather is under way, because that one may have cleared entries which this one "
        + "found empty. Here a gather flushes what it has changed itself, and then waits until nobody is under way.";

    public override KernelParts Apply(KernelParts parts) => parts with { MmuGather = kernel => new Gather(kernel) };

    private sealed class Gather(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc<bool> MmTlbFlushNested(Cpu cpu, Mm mm) => false;

        public override async Proc TlbFinishMmu(TlbGather tlb)
        {
            await base.TlbFinishMmu(tlb);
            await tlb.Cpu.WaitUntil(tlb.Mm.TlbFlushPending, Condition.Equal, 0);
        }
    }
}
