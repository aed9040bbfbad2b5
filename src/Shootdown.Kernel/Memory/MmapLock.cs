using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The lock of an address space (include/linux/mmap_lock.h) and the areas that it protects. Where no program takes it
/// for writing, taking it for reading can neither wait nor make anybody wait, so it is no step.
/// </summary>
public class MmapLock(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>include/linux/mmap_lock.h: <c>mmap_read_lock</c>.</summary>
    public virtual async Proc MmapReadLock(Cpu cpu, Mm mm)
    {
        if (mm.HasMmapWriters)
        {
            await cpu.DownRead(mm.MmapLock);
        }
    }

    /// <summary>include/linux/mmap_lock.h: <c>mmap_read_unlock</c>.</summary>
    public virtual async Proc MmapReadUnlock(Cpu cpu, Mm mm)
    {
        if (mm.HasMmapWriters)
        {
            await cpu.UpRead(mm.MmapLock);
        }
    }

    /// <summary>include/linux/mmap_lock.h: <c>mmap_write_lock</c>.</summary>
    public virtual async Proc MmapWriteLock(Cpu cpu, Mm mm)
    {
        if (!mm.HasMmapWriters)
        {
            throw new ProcRuleException(
                $"{mm}.mmap_lock is taken for writing, but {mm} was made with mmapWriters: false");
        }

        await cpu.DownWrite(mm.MmapLock);
    }

    /// <summary>include/linux/mmap_lock.h: <c>mmap_write_trylock</c>: false if somebody holds it.</summary>
    public virtual async Proc<bool> MmapWriteTrylock(Cpu cpu, Mm mm)
    {
        if (!mm.HasMmapWriters)
        {
            throw new ProcRuleException(
                $"{mm}.mmap_lock is taken for writing, but {mm} was made with mmapWriters: false");
        }

        return await cpu.DownWriteTrylock(mm.MmapLock) != 0;
    }

    /// <summary>include/linux/mmap_lock.h: <c>mmap_write_unlock</c>.</summary>
    public virtual async Proc MmapWriteUnlock(Cpu cpu, Mm mm) => await cpu.UpWrite(mm.MmapLock);

    /// <summary>include/linux/mmap_lock.h: <c>mmap_write_downgrade</c>.</summary>
    public virtual async Proc MmapWriteDowngrade(Cpu cpu, Mm mm) => await cpu.DowngradeWrite(mm.MmapLock);

    /// <summary>
    /// mm/mmap.c: <c>find_vma</c>: the areas, read under the lock. Where nobody changes them they are known.
    /// </summary>
    public virtual async Proc<VmAreas> FindVma(Cpu cpu, Mm mm)
        => mm.Areas is { } tree ? new VmAreas(0, tree)
            : mm.HasMmapWriters
            ? new VmAreas(await cpu.Load(mm.Vmas))
            : new VmAreas(Machine.WordInfo(mm.Vmas.Address).Initial);

    /// <summary>mm/vma.c: <c>vma_iter_store</c>: the areas change, under the lock for writing.</summary>
    [KernelName]
    public virtual async Proc StoreVmas(Cpu cpu, Mm mm, VmAreas areas)
    {
        if (areas.Tree is null)
        {
            await cpu.Store(mm.Vmas, areas.Bits);
        }
        else
        {
            areas.Apply();
        }
    }
}
