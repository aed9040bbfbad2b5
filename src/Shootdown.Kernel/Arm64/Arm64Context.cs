using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The ASID allocator of arm64 and its context switch (arch/arm64/mm/context.c). An address space keeps its ASID until
/// all are used up; then a new generation begins, only what runs keeps its ASID, and every CPU flushes its whole TLB
/// before it runs anything of the new generation.
/// </summary>
/// <remarks>
/// ASID 0 is never given to a user (<c>init_mm</c>). No pinned ASIDs. <c>mm->context.id</c> is 1000 * generation + ASID,
/// to be readable.
/// </remarks>
public class Arm64Context : SwitchMm
{
    private const ulong Generation = 1000;
    private readonly ImmutableArray<Word> _active;
    private readonly ImmutableArray<Word> _reserved;
    private readonly Spinlock _lock;
    private readonly Word _generation;
    private readonly Word _map;
    private readonly Word _flushPending;

    /// <summary>Makes the allocator's words.</summary>
    public Arm64Context(KernelModel kernel)
        : base(kernel)
    {
        _active = [.. Machine.Cpus.Select(cpu => Machine.NewWord($"active_asids[{cpu.Index}]"))];
        _reserved = [.. Machine.Cpus.Select(cpu => Machine.NewWord($"reserved_asids[{cpu.Index}]"))];
        _lock = Machine.NewSpinLock("cpu_asid_lock");
        _generation = Machine.NewWord("asid_generation", 1);
        _map = Machine.NewWord("asid_map", 1);
        _flushPending = Machine.NewWord("tlb_flush_pending");
    }

    /// <summary>The hardware's part of <c>mm->context.id</c>.</summary>
    public static int AsidOf(ulong contextId) => (int)(contextId % Generation);

    /// <summary>Initial state: the address space has an ASID of the first generation.</summary>
    public void BuildContext(Mm mm, int asid)
    {
        Machine.SetInitial(mm.ContextId.Address, Generation + (ulong)asid);
        BuildUsedAsid(asid);
    }

    /// <summary>Initial state: the ASID belongs to an address space that has gone.</summary>
    public void BuildUsedAsid(int asid)
        => Machine.SetInitial(_map.Address, Machine.WordInfo(_map.Address).Initial | (1UL << asid));

    /// <summary>
    /// arch/arm64/mm/context.c: <c>check_and_switch_context</c>. The compare-exchange of the fast path fails if a new
    /// generation has begun and taken this CPU's ASID away meanwhile.
    /// </summary>
    public override async Proc SwitchMmIrqsOff(Cpu cpu, Mm? next)
    {
        if (next is null)
        {
            await cpu.LoadRoot(null, 0, true, "cpu_set_reserved_ttbr0");
            return;
        }

        ulong id = await cpu.Load(next.ContextId);
        ulong old = await cpu.Load(_active[cpu.Index]);
        bool isFast = old != 0 && id / Generation == await cpu.Load(_generation)
            && await cpu.CompareExchange(_active[cpu.Index], old, id) == old;
        if (!isFast)
        {
            id = await SwitchSlowly(cpu, next);
        }

        await cpu.LoadRoot(next.Space, AsidOf(id), true, "cpu_switch_mm");
    }

    /// <summary>The slow path of <c>check_and_switch_context</c>.</summary>
    protected virtual async Proc<ulong> SwitchSlowly(Cpu cpu, Mm next)
    {
        await cpu.SpinLock(_lock);
        ulong id = await cpu.Load(next.ContextId);
        if (id / Generation != await cpu.Load(_generation))
        {
            id = await NewContext(cpu, id);
            await cpu.Store(next.ContextId, id, weight: StepWeight.Key);
        }

        ulong pending = await cpu.Load(_flushPending);
        if ((pending & cpu.Bit) != 0)
        {
            await cpu.Store(_flushPending, pending & ~cpu.Bit);
            await cpu.FlushTlbLocalAll();
        }

        await cpu.Store(_active[cpu.Index], id);
        await cpu.SpinUnlock(_lock);
        return id;
    }

    /// <summary>
    /// arch/arm64/mm/context.c: <c>new_context</c>: the ASID it had, if it is reserved for it or still free, else the
    /// first free one, else the first of a new generation.
    /// </summary>
    protected virtual async Proc<ulong> NewContext(Cpu cpu, ulong id)
    {
        ulong generation = await cpu.Load(_generation);
        ulong map = await cpu.Load(_map);
        if (id != 0)
        {
            ulong renewed = (generation * Generation) + (ulong)AsidOf(id);
            if (await CheckUpdateReservedAsid(cpu, id, renewed))
            {
                return renewed;
            }

            if ((map >> AsidOf(id) & 1) == 0)
            {
                await cpu.Store(_map, map | (1UL << AsidOf(id)));
                return renewed;
            }
        }

        int asid = FirstFree(map);
        if (asid == Machine.Options.Asids)
        {
            generation = await cpu.AddReturn(_generation, 1, StepWeight.Key);
            map = await FlushContext(cpu);
            asid = FirstFree(map);
        }

        await cpu.Store(_map, map | (1UL << asid));
        return (generation * Generation) + (ulong)asid;
    }

    /// <summary>
    /// arch/arm64/mm/context.c: <c>flush_context</c>. What a CPU runs keeps its ASID; a CPU that has been through this
    /// before and did not switch since keeps what was reserved for it then.
    /// </summary>
    protected virtual async Proc<ulong> FlushContext(Cpu cpu)
    {
        ulong map = 1;
        for (int other = 0; other < Machine.Cpus.Count; other++)
        {
            ulong active = await cpu.Exchange(_active[other], 0);
            ulong reserved = active != 0 ? active : await cpu.Load(_reserved[other]);
            map |= 1UL << AsidOf(reserved);
            await cpu.Store(_reserved[other], reserved);
        }

        await cpu.Store(_flushPending, (1UL << Machine.Cpus.Count) - 1);
        return map;
    }

    /// <summary>arch/arm64/mm/context.c: <c>check_update_reserved_asid</c>: all copies, or a later rollover loses
    /// it.</summary>
    protected virtual async Proc<bool> CheckUpdateReservedAsid(Cpu cpu, ulong id, ulong renewed)
    {
        bool hit = false;
        for (int other = 0; other < Machine.Cpus.Count; other++)
        {
            if (await cpu.Load(_reserved[other]) == id)
            {
                hit = true;
                await cpu.Store(_reserved[other], renewed);
            }
        }

        return hit;
    }

    private int FirstFree(ulong map)
    {
        int asid = 1;
        while (asid < Machine.Options.Asids && (map >> asid & 1) != 0)
        {
            asid++;
        }

        return asid;
    }
}
