using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>tlbrace(C,Z): the deferred TLB flush race as a C programmer would model it, without page tables.</summary>
public sealed class TlbRace : PeerProgram
{
    /// <inheritdoc/>
    public override string Id => "peer-tlbrace";

    /// <inheritdoc/>
    public override string Title => "the deferred flush race as a C program: MADV_DONTNEED overlooks a pending batch";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("c", 2, 1, 3, "CPUs that fill their TLB and use it once"),
        new("z", 1, 1, 2, "threads that call MADV_DONTNEED; one more thread reclaims"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        One page, and everything that Shootdown's machine does by itself written out with atomics: a word for the entry,
        one for each CPU's TLB, threads for the hardware. Reclaim clears the entry under the lock, notes that a flush is
        pending, and flushes after it dropped the lock. MADV_DONTNEED takes the lock; if the entry is still there, it
        clears it and flushes. Then the page is gone. A CPU fills its TLB from the entry and later uses it: an access
        that begins after the page is gone must not go through a stale entry.

        In the bug MADV_DONTNEED does nothing if it finds the entry clear, although reclaim may not have flushed yet. In
        the fix it flushes when a batch is pending. The program is there to be compared with tools for C;
        madv-dontneed-parallel and ttu-batch-vs-mprotect are such races on real page tables.
        """;

    /// <inheritdoc/>
    protected override bool HasBug => true;

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int walkers = setup["c"];
        MachineModel machine = NewMachine(setup, walkers + setup["z"] + 1);
        var shared = new Shared(machine, walkers, !setup.IsBug);
        foreach (Cpu cpu in machine.Cpus)
        {
            if (cpu.Index < walkers)
            {
                machine.AddTask(cpu, "hw", () => FillAndUse(cpu, shared, shared.Tlb[cpu.Index]));
            }
            else if (cpu.Index == walkers)
            {
                machine.AddTask(cpu, "reclaim", () => Reclaim(cpu, shared));
            }
            else
            {
                machine.AddTask(cpu, "zap", () => Zap(cpu, shared));
            }
        }

        return WithAssertions(machine);
    }

    private static async Proc FillAndUse(Cpu cpu, Shared shared, Word tlb)
    {
        // A page walk sees one value of the entry atomically with its fill.
        await cpu.SpinLock(shared.Ptl);
        if (await cpu.Load(shared.Pte) != 0)
        {
            await StoreSeqCst(cpu, tlb, 1);
        }

        await cpu.SpinUnlock(shared.Ptl);
        if (await cpu.Load(shared.Gone) != 0)
        {
            ulong entry = await cpu.Load(tlb);
            await cpu.Assert(entry == 0, "no access through a stale entry");
        }
    }

    private static async Proc Reclaim(Cpu cpu, Shared shared)
    {
        bool mine = false;
        await cpu.SpinLock(shared.Ptl);
        if (await cpu.Load(shared.Pte) != 0)
        {
            await StoreSeqCst(cpu, shared.Pte, 0);
            await StoreSeqCst(cpu, shared.Pending, 1);
            mine = true;
        }

        await cpu.SpinUnlock(shared.Ptl);
        if (mine)
        {
            await Flush(cpu, shared);
            await StoreSeqCst(cpu, shared.Gone, 1);
        }
    }

    private static async Proc Zap(Cpu cpu, Shared shared)
    {
        await cpu.SpinLock(shared.Ptl);
        if (await cpu.Load(shared.Pte) != 0)
        {
            await StoreSeqCst(cpu, shared.Pte, 0);
            await Flush(cpu, shared);
        }
        else if (shared.FlushesPendingBatch && await cpu.Load(shared.Pending) != 0)
        {
            await Flush(cpu, shared);
            await StoreSeqCst(cpu, shared.Pending, 0);
        }

        await cpu.SpinUnlock(shared.Ptl);
        await StoreSeqCst(cpu, shared.Gone, 1);
    }

    private static async Proc Flush(Cpu cpu, Shared shared)
    {
        for (int target = 0; target < shared.Tlb.Length; target++)
        {
            await StoreSeqCst(cpu, shared.Tlb[target], 0);
        }
    }

    /// <summary>A sequentially consistent store of C is an xchg on x86.</summary>
    private static async Proc StoreSeqCst(Cpu cpu, Word word, ulong value) => await cpu.Exchange(word, value);

    private sealed class Shared(MachineModel machine, int walkers, bool flushesPendingBatch) : MachineHandle(machine)
    {
        internal bool FlushesPendingBatch { get; } = flushesPendingBatch;

        internal Spinlock Ptl { get; } = machine.NewSpinLock("ptl");

        internal Word Pte { get; } = machine.NewWord("pte", 1);

        internal Word Pending { get; } = machine.NewWord("pending");

        internal Word Gone { get; } = machine.NewWord("gone");

        internal ImmutableArray<Word> Tlb { get; } =
            [.. Enumerable.Range(0, walkers).Select(cpu => machine.NewWord($"tlb[{cpu}]"))];
    }
}
