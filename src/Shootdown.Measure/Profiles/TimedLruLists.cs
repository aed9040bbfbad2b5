using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// The LRU lists of a machine of real size: one <c>lruvec</c>, as one node without memory cgroups has, and a batch of new folios on each
/// CPU. What is kept of a list is what its lock is held for. Reclaim, migration and compaction take folios off the lists in batches of
/// their own (<c>SWAP_CLUSTER_MAX</c>): that is left out.
/// </summary>
/// <param name="kernel">The kernel.</param>
/// <param name="batchFolios"><c>PAGEVEC_SIZE</c>: 15, and 31 since 6.8.</param>
/// <param name="drains">
/// True before 6.14: who unmaps, and who frees what a gather has queued, calls <c>lru_add_drain</c> first, so that a page that lived for a short time has
/// been put on its list just to be taken off again.
/// </param>
internal sealed class TimedLruLists(KernelModel kernel, int batchFolios, bool drains) : LruLists(kernel)
{
    /// <summary><c>SWAP_CLUSTER_MAX</c>: folios that leave their list under one hold of the lock.</summary>
    private const int HoldMax = 32;

    /// <summary>
    /// Cache lines besides the lock's that come from the CPU that held it last: the list's head, the neighbour's links, and
    /// <c>lru_zone_size</c> (<c>lruvec_add_folio</c>, <c>update_lru_size</c>). Each costs what the lock's own line does.
    /// </summary>
    private const int SharedLines = 3;

    private readonly TimedMachine _machine = (TimedMachine)kernel.Machine.Timed!;
    private readonly int _sharedLinesNs = SharedLines * ((TimedMachine)kernel.Machine.Timed!).Costs["lock.hand_over_ns"];

    /// <summary>Both neighbours on the list are written, and the list's size (<c>lruvec_add_folio</c>, <c>lruvec_del_folio</c>).</summary>
    private readonly int _changeListNs = (2 * ((TimedMachine)kernel.Machine.Timed!).Costs["memory.word_ns"])
        + ((TimedMachine)kernel.Machine.Timed!).Costs["memory.atomic_ns"];

    private int _lastHolder = -1;
    private readonly Spinlock _lock = kernel.Machine.NewSpinLock("lruvec.lru_lock");
    private readonly List<int>[] _batches = [.. kernel.Machine.Cpus.Select(_ => new List<int>(batchFolios))];
    private readonly FrameBits _onList = new();
    private readonly FrameBits _putInBatch = new();

    /// <summary>A kernel that does not call <c>lru_add_drain</c> where it unmaps (Rik van Riel, December 2024; 6.14).</summary>
    public static TimedProfile WithoutDrains(TimedProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return profile with { Parts = profile.Parts with { LruLists = kernel => new TimedLruLists(kernel, 31, drains: false) } };
    }

    /// <inheritdoc/>
    public override Proc FolioAddLru(Cpu cpu, int frame)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        _onList.Remove(frame);
        List<int> batch = _batches[cpu.Index];
        batch.Add(frame);
        return batch.Count == batchFolios ? FolioBatchMoveLru(cpu) : TimedMachine.EndedAtOnce;
    }

    /// <inheritdoc/>
    public override Proc LruAddDrain(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return drains && _batches[cpu.Index].Count > 0 ? FolioBatchMoveLru(cpu) : TimedMachine.EndedAtOnce;
    }

    /// <inheritdoc/>
    public override async Proc ReleasePages(Cpu cpu, FrameSet frames)
    {
        int listed = 0;
        for (FrameSet rest = frames; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            // A folio in a batch has the batch's reference: it leaves with the batch.
            bool isLast = Kernel.Machine.Timed!.Memory.OfFrame(rest.First, FrameSlot.RefCount) == 1;
            listed += isLast && _onList.Remove(rest.First) ? 1 : 0;
            _ = isLast && _batches[cpu.Index].Contains(rest.First) && _putInBatch.Add(rest.First);
        }

        await LruvecDelFolios(cpu, listed);
    }

    /// <summary>mm/swap.c: <c>folio_batch_move_lru</c>: all under one hold of the lock; then the batch's references are dropped.</summary>
    private async Proc FolioBatchMoveLru(Cpu cpu)
    {
        List<int> batch = _batches[cpu.Index];
        bool isLocked = await LockLruvec(cpu);
        int gone = 0;
        _machine.Charge(cpu, batch.Count * _changeListNs);
        foreach (int frame in batch)
        {
            bool wasPut = _putInBatch.Remove(frame);
            gone += wasPut ? 1 : 0;
            _ = !wasPut && _onList.Add(frame);
        }

        batch.Clear();
        await UnlockLruvec(cpu, isLocked);
        await LruvecDelFolios(cpu, gone);
    }

    /// <summary>include/linux/mm_inline.h: <c>lruvec_del_folio</c> of folios that are freed.</summary>
    private async Proc LruvecDelFolios(Cpu cpu, int folios)
    {
        for (int done = 0; done < folios; done += HoldMax)
        {
            bool isLocked = await LockLruvec(cpu);
            _machine.Charge(cpu, Math.Min(folios - done, HoldMax) * _changeListNs);
            await UnlockLruvec(cpu, isLocked);
        }
    }

    /// <summary>
    /// include/linux/memcontrol.h: <c>folio_lruvec_lock_irqsave</c>. All CPUs take this lock several times a call, so it is taken in the order of
    /// time: whoever is earlier goes on first. A handler, which cannot wait, does without; false then.
    /// </summary>
    private async Proc<bool> LockLruvec(Cpu cpu)
    {
        if (_machine.Cpus[cpu.Index].InterruptsOff)
        {
            return false;
        }

        await _machine.Boundary(cpu);
        await cpu.SpinLock(_lock);
        if (_lastHolder != cpu.Index)
        {
            _machine.Charge(cpu, _sharedLinesNs);
            _lastHolder = cpu.Index;
        }

        return true;
    }

    private async Proc UnlockLruvec(Cpu cpu, bool isLocked)
    {
        if (isLocked)
        {
            await cpu.SpinUnlock(_lock);
        }
    }
}
