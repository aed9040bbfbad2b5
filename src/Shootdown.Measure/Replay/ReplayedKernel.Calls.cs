using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <content>What a trace makes the kernel do. Processes are numbers, pages those of the machine.</content>
internal sealed partial class ReplayedKernel
{
    private Mm? _mmOfRun;

    /// <summary>A CPU runs a thread of a process; nothing if it has the process loaded and is not lazy.</summary>
    public void SwitchTo(in ReplayPoint at, int process)
    {
        Mm mm = MmOf(process);
        Machine.Cpus[at.Cpu].RunsUserCode = true;
        if (LoadedOn(at.Cpu) != mm.LoadedValue || IsLazy(at.Cpu))
        {
            RunIn(at, process, (cpu, loaded) => _kernel.SwitchTo(cpu, loaded));
        }
    }

    /// <summary>A CPU runs the idle task or a kernel thread.</summary>
    public void EnterLazy(in ReplayPoint at)
    {
        Run(at, cpu => _kernel.GoIdle(cpu));
        Machine.Cpus[at.Cpu].RunsUserCode = false;
    }

    /// <summary>mmap, or a fault that shows an area.</summary>
    public void Map(in ReplayPoint at, int process, int first, int count, int protection)
        => RunIn(at, process, async (cpu, mm) =>
        {
            if (mm.Areas!.Touches(first, first + count))
            {
                await _kernel.Kernel.Munmap.DoMunmap(cpu, mm, PromiseOf(cpu, mm, first, count));
            }

            await _kernel.Mmap(cpu, mm, first, count);
            mm.Areas.Set(first, first + count, AreaList.IsAccessible(protection), AreaList.IsWritable(protection));
        });

    /// <summary>Memory that was mapped before the trace began turns out to be: what of the range has no area gets one.</summary>
    public void Know(int process, int first, int count, bool write)
    {
        AreaTree areas = MmOf(process).Areas!;
        int end = first + count;
        if (count == 1 && !areas.Allows(first, write))
        {
            areas.Set(first, end, true, write || areas.Allows(first, true));
        }

        while (!areas.Covers(first, end))
        {
            int hole = first;
            int holeEnd = end;
            for (int i = 0; i < areas.Count && areas[i].Start < holeEnd; i++)
            {
                (int start, int stop, _, _) = areas[i];
                hole = start <= hole ? Math.Max(hole, stop) : hole;
                holeEnd = start > hole ? Math.Min(holeEnd, start) : holeEnd;
            }

            areas.Set(hole, holeEnd, true, write);
            first = holeEnd;
        }
    }

    /// <summary>An area that was there before the trace began.</summary>
    public void Know(int process, int first, int count, int protection)
        => MmOf(process).Areas!.Set(first, first + count, AreaList.IsAccessible(protection), AreaList.IsWritable(protection));

    /// <summary>munmap.</summary>
    public void Unmap(in ReplayPoint at, int process, int first, int count)
        => RunIn(at, process, (cpu, mm) => _kernel.Munmap(cpu, mm, first, count));

    /// <summary>mprotect.</summary>
    public void Protect(in ReplayPoint at, int process, int first, int count, int protection, bool changesExecute)
        => RunIn(at, process, async (cpu, mm) =>
        {
            if (changesExecute || !AreaList.IsAccessible(protection))
            {
                // Entries of the library have no right to execute. A change of it flushes every page that was accessible, and that is what
                // taking all rights away and giving the new ones does: pages that were not accessible need no flush.
                await _kernel.MprotectNone(cpu, mm, first, count);
            }

            if (AreaList.IsWritable(protection))
            {
                await _kernel.MprotectWritable(cpu, mm, first, count);
            }
            else if (AreaList.IsAccessible(protection))
            {
                await _kernel.MprotectReadOnly(cpu, mm, first, count);
            }
        });

    /// <summary>madvise.</summary>
    public void Advise(in ReplayPoint at, int process, int first, int count, Advice advice)
        => RunIn(at, process, (cpu, mm) => advice switch
        {
            Advice.Free => _kernel.MadviseFree(cpu, mm, first, count),
            Advice.Cold => _kernel.MadviseCold(cpu, mm, first, count),
            Advice.PageOut => _kernel.MadvisePageout(cpu, mm, first, count),
            _ => _kernel.MadviseDontneed(cpu, mm, first, count),
        });

    /// <summary>mremap to another place; the old one stays mapped if <paramref name="keeps"/> (MREMAP_DONTUNMAP).</summary>
    public void Move(in ReplayPoint at, int process, int first, int count, int to, bool keeps)
        => RunIn(at, process, async (cpu, mm) =>
        {
            await _kernel.Mremap(cpu, mm, first, count, to);
            if (keeps)
            {
                await _kernel.Mmap(cpu, mm, first, count);
            }
        });

    /// <summary>A fault of user code.</summary>
    /// <param name="at">Where.</param>
    /// <param name="process">The process.</param>
    /// <param name="page">The page.</param>
    /// <param name="write">True for a write.</param>
    /// <param name="wasPresent">True if an entry was there and did not allow the access.</param>
    /// <param name="kind">What the page's area maps; what was mapped before the trace began is taken for a private mapping of a file.</param>
    public void Fault(in ReplayPoint at, int process, int page, bool write, bool wasPresent, AreaKind kind)
        => RunIn(at, process, (cpu, mm) => FaultIn(cpu, mm, page, write, wasPresent, kind));

    /// <summary>A write fault that maps a huge page if nothing is mapped in its range (<c>create_huge_pmd</c>).</summary>
    public void FaultHuge(in ReplayPoint at, int process, int page)
        => RunIn(at, process, async (cpu, mm) =>
        {
            _kernel.WantHugePage(mm, page);
            await FaultIn(cpu, mm, page, write: true, toldPresent: false, AreaKind.Anonymous);
            _kernel.UnwantHugePage(mm, page);
        });

    /// <summary>True if a huge page is mapped there.</summary>
    public bool IsHuge(int process, int page) => Machine.Tables.Walk(MmOf(process).Space.RootTable, page, out _, out _) is { Present: true, Huge: true };

    /// <summary>mm/gup.c, <c>populate_vma_page_range</c>: faults for all pages at once (MAP_POPULATE, MADV_POPULATE_READ and _WRITE).</summary>
    public void Populate(in ReplayPoint at, int process, int first, int count, bool write, AreaKind kind)
        => RunIn(at, process, async (cpu, mm) =>
        {
            for (int page = first; page < first + count; page++)
            {
                await FaultIn(cpu, mm, page, write, null, kind);
            }
        });

    /// <summary>A fault. Where the trace does not tell whether an entry was there, one that does not allow the store was: a page of zeroes, a shared one.</summary>
    private async Proc FaultIn(Cpu cpu, Mm mm, int page, bool write, bool? toldPresent, AreaKind kind)
    {
        Pte leaf = Machine.Tables.Walk(mm.Space.RootTable, page, out _, out _);
        bool wasPresent = toldPresent ?? (write && leaf.Present && !leaf.Write);
        bool isShared = kind is AreaKind.Shared or AreaKind.SharedMemory;
        if (isShared && write && leaf.Present && !leaf.Write)
        {
            await FolioFiles.MakeWritable(_kernel.Kernel, cpu, mm, page);
        }
        else if (leaf.IsNone && (isShared || wasPresent || (kind == AreaKind.PrivateFile && !write)))
        {
            // A present page that was never seen came with its neighbours (do_fault_around), so it is a file's.
            bool isMemory = kind == AreaKind.SharedMemory;
            await FolioFiles.MapPage(_kernel.Kernel, cpu, mm, page, isMemory ? mm.Areas!.Allows(page, true) : isShared && write, isMemory);
        }

        if (wasPresent || !leaf.Present || !write)
        {
            await _kernel.Access(cpu, mm, page, write);
        }
    }

    /// <summary>fork.</summary>
    public void Fork(in ReplayPoint at, int process, int child)
        => RunIn(at, process, (cpu, mm) => _kernel.Fork(cpu, mm, MmOf(child)));

    /// <summary>
    /// fs/exec.c, <c>setup_arg_pages</c>: the one stack page that a new program has is moved to its place (<c>shift_arg_pages</c>), which
    /// flushes it and frees the tables of the old place.
    /// </summary>
    public void SetUpArgPages(in ReplayPoint at, int process)
        => RunIn(at, process, async (cpu, mm) =>
        {
            // From below the end of user addresses, which is the end of a GiB, down by more than that.
            const int first = AddressMap.ScratchPage + (2 << AddressMap.PartShift) - 2;
            const int place = AddressMap.ScratchPage + (1 << (AddressMap.PartShift - 1));
            if (mm.Areas!.Touches(place, place + 1))
            {
                return;
            }

            await _kernel.Mmap(cpu, mm, first, 1);
            await _kernel.Kernel.PageFault.HandleMmFault(cpu, mm, first, true);
            await _kernel.Kernel.Exec.SetupArgPages(cpu, mm, PromiseOf(cpu, mm, first, 1), place);
        });

    /// <summary>The last thread of a process is gone (kernel/exit.c, <c>exit_mm</c>): its address space is taken apart.</summary>
    public void Exit(in ReplayPoint at, int process)
    {
        RunIn(at, process, (cpu, mm) => _kernel.Exit(cpu, mm));

        // The next process of this number is a new one: nobody has it loaded (leave_mm), and nobody is in its mask.
        Mm mm = MmOf(process);
        for (int cpu = 0; cpu < _cpusUsed; cpu++)
        {
            if (LoadedOn(cpu) == mm.LoadedValue)
            {
                Run(at with { Cpu = cpu, IsSelected = false }, there => _kernel.Kernel.SwitchMm.LeaveMm(there));
            }
        }

        Run(at with { IsSelected = false }, async cpu => await cpu.Store(mm.CpuMask, 0));
    }

    /// <summary>User code has run since the CPU was last heard of: if its TLB was flushed meanwhile, it uses its pages again.</summary>
    public void UseAgain(in ReplayPoint at, int process, RecentPages pages)
    {
        TimedCpu cpu = Machine.Cpus[at.Cpu];
        long flushes = cpu.FullFlushes + cpu.PageFlushes;
        if (flushes == _flushesSeen[at.Cpu] || LoadedOn(at.Cpu) != MmOf(process).LoadedValue || IsLazy(at.Cpu))
        {
            return;
        }

        _flushesSeen[at.Cpu] = flushes;
        (long refills, long refillNs) = (cpu.Refills, cpu.RefillNs);
        for (int i = 0; i < pages.Count; i++)
        {
            Machine.ReadAgain(cpu.Cpu, pages[i]);
        }

        if (at.IsSelected)
        {
            Costs += new ReplayCosts(0, 0, 0, cpu.Refills - refills, cpu.RefillNs - refillNs, 0);
        }
    }

    /// <summary>CPUs that have a process loaded load another one: it was taken for another process.</summary>
    public void Correct(in ReplayPoint at, int wrong, int right)
    {
        for (int cpu = 0; cpu < _cpusUsed; cpu++)
        {
            if (LoadedOn(cpu) == MmOf(wrong).LoadedValue)
            {
                bool isLazy = IsLazy(cpu);
                ReplayPoint there = at with { Cpu = cpu, IsSelected = false };
                SwitchTo(there, right);
                if (isLazy)
                {
                    EnterLazy(there);
                }
            }
        }
    }

    private void RunIn(in ReplayPoint at, int process, Func<Cpu, Mm, Proc> program)
    {
        Mm mm = MmOf(process);
        _mmOfRun = mm;
        Run(at, cpu => program(cpu, mm));
    }

    private ulong LoadedOn(int cpu) => Machine.Memory.At(_kernel.Kernel.TlbStates[cpu].LoadedMm.Address);

    private bool IsLazy(int cpu) => Machine.Memory.At(_kernel.Kernel.TlbStates[cpu].IsLazy.Address) != 0;

    private Promise PromiseOf(Cpu cpu, Mm mm, int first, int count)
        => new(Machine.Model, cpu, mm.Space, first, count, PromiseKind.Removed, "replay");
}

/// <summary>Advice of madvise that changes page tables (include/uapi/asm-generic/mman-common.h).</summary>
internal enum Advice
{
    /// <summary>MADV_DONTNEED.</summary>
    DontNeed = 4,

    /// <summary>MADV_FREE.</summary>
    Free = 8,

    /// <summary>MADV_REMOVE.</summary>
    Remove = 9,

    /// <summary>MADV_HUGEPAGE.</summary>
    HugePage = 14,

    /// <summary>MADV_NOHUGEPAGE.</summary>
    NoHugePage = 15,

    /// <summary>MADV_COLD.</summary>
    Cold = 20,

    /// <summary>MADV_PAGEOUT.</summary>
    PageOut = 21,

    /// <summary>MADV_POPULATE_READ.</summary>
    PopulateRead = 22,

    /// <summary>MADV_POPULATE_WRITE.</summary>
    PopulateWrite = 23,

    /// <summary>MADV_DONTNEED_LOCKED.</summary>
    DontNeedLocked = 24,

    /// <summary>MADV_COLLAPSE.</summary>
    Collapse = 25,
}
