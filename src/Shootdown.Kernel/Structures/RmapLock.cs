using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>What kind of lock <c>i_mmap_lock</c> or the <c>anon_vma</c> lock is.</summary>
public enum RmapLockKind
{
    /// <summary>An rw-semaphore: <c>i_mmap_rwsem</c> since 3.19, <c>anon_vma->rwsem</c> since 3.8. Its holder may sleep.</summary>
    RwSemaphore,

    /// <summary>A spinlock, as both were until 2011 (2.6.39).</summary>
    Spinlock,
}

/// <summary>A lock that walks from a page to its entries take: i_mmap_rwsem of a file, or the anon_vma's.</summary>
public sealed class RmapLock : MachineHandle
{
    private readonly RwSemaphore? _semaphore;
    private readonly Spinlock? _spin;

    internal RmapLock(MachineModel machine, string name, RmapLockKind kind)
        : base(machine)
    {
        _semaphore = kind == RmapLockKind.RwSemaphore ? machine.NewRwSemaphore(name) : null;
        _spin = kind == RmapLockKind.Spinlock ? machine.NewSpinLock(name) : null;
    }

    /// <summary>Takes it for a walk.</summary>
    public Op LockRead(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return _spin is null ? cpu.DownRead(_semaphore!) : cpu.SpinLock(_spin);
    }

    /// <summary>Ends a walk.</summary>
    public Op UnlockRead(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return _spin is null ? cpu.UpRead(_semaphore!) : cpu.SpinUnlock(_spin);
    }

    /// <summary>Takes it for linking or unlinking an area.</summary>
    public Op LockWrite(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return _spin is null ? cpu.DownWrite(_semaphore!) : cpu.SpinLock(_spin);
    }

    /// <summary>Gives it back.</summary>
    public Op UnlockWrite(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return _spin is null ? cpu.UpWrite(_semaphore!) : cpu.SpinUnlock(_spin);
    }
}
