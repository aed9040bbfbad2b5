using Shootdown.Machine;
using RootSpace = Shootdown.Machine.AddressSpace;

namespace Shootdown.Measure;

/// <content>User accesses, page walks and flushes.</content>
public sealed partial class TimedMachine
{
    private int _invlpgNs;
    private int _broadcastNs;
    private int _broadcastSyncNs;
    private int _fullFlushNs;
    private int _loadRootNs;
    private int _secondLevelNs;
    private int _walkReadNs;
    private int _faultNs;
    private int _writeNs;
    private int _readNs;

    /// <summary>False if files are holes: nothing is waited for when a page of one is read.</summary>
    public bool HasDisk { get; set; } = true;

    /// <summary>Where events go; null if nobody wants them.</summary>
    public ITimedTrace? Trace { get; set; }

    /// <inheritdoc/>
    public override Op LoadRoot(Cpu cpu, RootSpace? space, int asid, bool keep)
    {
        TimedCpu state = StateOf(cpu);
        state.Space = space;
        state.Asid = asid;
        Spend(cpu, _loadRootNs);
        if (!keep)
        {
            state.FullFlushes++;
            state.Tlb.DropAll(asid);
        }

        return Performed;
    }

    /// <summary>The root is loaded before anything runs.</summary>
    public void BuildLoaded(Cpu cpu, RootSpace space, int asid)
    {
        TimedCpu state = StateOf(cpu);
        state.Space = space;
        state.Asid = asid;
    }

    /// <inheritdoc/>
    public override Op Invalidate(Cpu cpu, int page)
    {
        TimedCpu state = StateOf(cpu);
        if (page < 0)
        {
            Spend(cpu, _fullFlushNs);
            state.FullFlushes++;
            state.Tlb.DropAll(state.Asid);
        }
        else
        {
            Spend(cpu, _invlpgNs);
            state.PageFlushes++;
            state.Tlb.DropPage(state.Asid, page);
        }

        return Performed;
    }

    /// <summary>The TLBs obey at once; what they would do in between is left out, and TLBSYNC has its time all the same.</summary>
    /// <inheritdoc/>
    public override Op Broadcast(Cpu cpu, int asid, int page)
    {
        Spend(cpu, _broadcastNs);
        StateOf(cpu).Broadcasts++;
        foreach (TimedCpu target in Cpus)
        {
            if (page < 0)
            {
                target.Tlb.DropAll(asid);
            }
            else
            {
                target.Tlb.DropPage(asid, page);
            }
        }

        return Performed;
    }

    /// <inheritdoc/>
    public override Op AwaitBroadcasts(Cpu cpu)
    {
        Spend(cpu, _broadcastSyncNs);
        return Performed;
    }

    /// <inheritdoc/>
    public override long Access(Cpu cpu, int page, bool write, int value)
    {
        TimedCpu state = StateOf(cpu);
        RootSpace space = state.Space
            ?? throw new ProcRuleException($"{cpu} accesses {Paging.AddressText(page)} while no user address space is loaded");
        state.Accesses++;
        Spend(cpu, WordNs);
        CpuTlb.Level found = state.Tlb.Find(state.Asid, page, out ulong bits, out bool huge, out bool wasFlushed);
        var entry = new Pte(bits);
        if (found != CpuTlb.Level.None && (!write || entry is { Write: true, Dirty: true }))
        {
            Spend(cpu, found == CpuTlb.Level.Second ? _secondLevelNs : 0);
            NoteStale(entry);
            return 0;
        }

        if (found != CpuTlb.Level.None && entry.Write)
        {
            // The first store through a clean entry: hardware sets the dirty bit in the table, if the entry is still there.
            NoteStale(entry);
        }

        return WalkFor(state, space, page, write, found == CpuTlb.Level.None, wasFlushed);
    }

    /// <summary>
    /// User code reads a page of the loaded address space again, if it is mapped: the TLB is filled, a miss is counted and costs its walk.
    /// The entry's accessed bit stays as it is: the access is supposed, and must not change what kernel code does.
    /// </summary>
    public void ReadAgain(Cpu cpu, int page)
    {
        TimedCpu state = StateOf(cpu);
        if (state.Space is not { } space || state.Tlb.Find(state.Asid, page, out ulong bits, out _, out bool wasFlushed) != CpuTlb.Level.None)
        {
            return;
        }

        Pte leaf = Tables.Walk(space.RootTable, page, out _, out int level);
        if (leaf.Present)
        {
            int walkNs = _walkReadNs * (state.Tlb.KnowsTable(state.Asid, page) ? 1 : Model.Paging.Levels);
            state.Misses++;
            state.Refills += wasFlushed ? 1 : 0;
            state.RefillNs += wasFlushed ? walkNs : 0;
            state.Tlb.Fill(state.Asid, page, leaf.Bits, level > 0);
        }
    }

    /// <inheritdoc/>
    public override void WriteOut(Cpu cpu, int frame) => Spend(cpu, _writeNs);

    /// <inheritdoc/>
    public override void ReadIn(Cpu cpu, int frame) => Spend(cpu, HasDisk ? _readNs : 0);

    /// <inheritdoc/>
    public override void AssertFailed(Cpu cpu, string message)
        => throw new ProcRuleException($"{cpu}: kernel code asserts that {message}; it is not so (out of memory? give the machine more frames)");

    private long WalkFor(TimedCpu state, RootSpace space, int page, bool write, bool isMiss, bool wasFlushed)
    {
        Cpu cpu = state.Cpu;
        int walkNs = _walkReadNs * (state.Tlb.KnowsTable(state.Asid, page) ? 1 : Model.Paging.Levels);
        Spend(cpu, walkNs);
        if (isMiss)
        {
            state.Misses++;
            if (wasFlushed)
            {
                state.Refills++;
                state.RefillNs += walkNs;
            }
        }

        Pte leaf = Tables.Walk(space.RootTable, page, out int table, out int level);
        if (!leaf.Present || (write && !leaf.Write))
        {
            state.Faults++;
            Spend(cpu, _faultNs);
            state.Tlb.DropTranslation(state.Asid, page);
            return 1L << 62;
        }

        leaf = leaf.With(Pte.AccessedBit | (write ? Pte.DirtyBit : 0));
        Tables.SetHardwareBits(table, level, page, leaf);
        state.Tlb.Fill(state.Asid, page, leaf.Bits, level > 0);
        return 0;
    }

    /// <summary>Counts an access through a translation whose frame is free.</summary>
    internal void NoteStale(Pte entry)
    {
        if (!Tables.IsLive(entry.Frame))
        {
            StaleAccesses++;
        }
    }
}
