using Shootdown.Check;

namespace Shootdown.Tests.Report;

/// <summary>Races as the checker hands them over, written by hand after the catalogue's step lists.</summary>
internal static class SampleRuns
{
    private const string StaleAfterReturn =
        "madvise() of 0x1000 on CPU1 returned, but CPU2 still reads frame 3 through the TLB entry that it cached before the call: "
        + "CPU0 has cleared the PTE and not flushed yet.";

    /// <summary>B02 where the process with the second madvise() is also the one that reads: two columns.</summary>
    public static Counterexample TwoColumns()
    {
        RunBuilder run = new(new("CPU0", "madvise"), new("CPU1", "madvise"));
        run.In(1).Key(1, "load 0x1000", "[ TLB: frame 3 ]");
        Zap(run, 0, finds: true);
        Zap(run, 1, finds: false);
        run.In(1).Key(1, "load 0x1000", "[ TLB: stale entry, frame 3 ]").Decides();
        return run.Build("P-ret", StaleAfterReturn.Replace("CPU2", "it", StringComparison.Ordinal));
    }

    /// <summary>B02 as in the catalogue: a third CPU reads.</summary>
    public static Counterexample ThreeColumns()
    {
        RunBuilder run = new(new("CPU0", "madvise"), new("CPU1", "madvise"), new("CPU2", "user"));
        run.In(2).Key(2, "load 0x1000", "[ TLB: frame 3 ]");
        Zap(run, 0, finds: true);
        Zap(run, 1, finds: false);
        run.In(2).Key(2, "load 0x1000", "[ TLB: stale entry, frame 3 ]").Decides();
        return run.Build("P-ret", StaleAfterReturn);
    }

    /// <summary>B02 with a second reader: too many columns to stand beside each other.</summary>
    public static Counterexample FourColumns()
    {
        RunBuilder run = new(new("CPU0", "madvise"), new("CPU1", "madvise"), new("CPU2", "user"), new("CPU3", "user"));
        run.In(2).Key(2, "load 0x1000", "[ TLB: frame 3 ]");
        run.In(3).Key(3, "load 0x1000", "[ TLB: frame 3 ]");
        Zap(run, 0, finds: true);
        Zap(run, 1, finds: false);
        run.In(3).Key(3, "load 0x1000", "[ TLB: frame 3 ]");
        run.In(2).Key(2, "load 0x1000", "[ TLB: stale entry, frame 3 ]").Decides();
        return run.Build("P-ret", StaleAfterReturn);
    }

    /// <summary>B17: an interrupt that returns at once because generation 0 is never newer.</summary>
    public static Counterexample InterruptBlock()
    {
        RunBuilder run = new(new("CPU0", "reclaim"), new("CPU1", "user"));
        run.In(1).Key(1, "store 0x1000", "[ TLB: frame 2, writable ]");
        run.In(0, "shrink_folio_list", "try_to_unmap_one")
            .Context(0, "spin_lock(ptl)")
            .Key(0, "ptep_get_and_clear(0x1000)", "was frame 2 RW A D")
            .Detail(0, "batch.cpumask |= 2")
            .Context(0, "spin_unlock(ptl)");
        run.In(0, "shrink_folio_list", "try_to_unmap_flush", "arch_tlbbatch_flush").Key(0, "[ IPI to CPU1 ]");
        run.In(1).Context(1, "[ IPI received ]", "from CPU0").Interrupt();
        run.In(1, "flush_tlb_func")
            .Detail(1, "read loaded_mm_asid", "is 0").Interrupt()
            .Key(1, "f->new_tlb_gen <= local_tlb_gen, nothing to flush").Interrupt().Decides();
        run.In(1).Detail(1, "[ IPI acknowledged ]").Interrupt();
        run.In(0, "shrink_folio_list", "try_to_unmap_flush", "arch_tlbbatch_flush").Context(0, "[ all IPIs acknowledged ]");
        run.In(0, "shrink_folio_list").Key(0, "free_unref_page(frame 2)");
        run.In(1).Key(1, "store 0x1000", "[ TLB: stale entry, frame 2, writable ]").Decides();
        return run.Build("P-life", "CPU1 stores to frame 2 through a stale TLB entry of 0x1000 after CPU0 freed the frame.");
    }

    /// <summary>B15: stores that wait in a buffer, and a window with interrupts off.</summary>
    public static Counterexample StoreBuffer()
    {
        RunBuilder run = new(new("CPU0", "switch to next"), new("CPU1", "munmap"));
        run.In(0, "context_switch", "switch_mm_irqs_off")
            .Context(0, "local_irq_disable()")
            .Key(0, "mm_cpumask(next) |= CPU0", "[ in store buffer ]").Decides()
            .Detail(0, "read cpu_tlbstate.loaded_mm", "is 1")
            .Key(0, "load_cr3(next)", "[ TLB kept ]")
            .Key(0, "[ speculative page walk ]", "[ TLB: 0x1000 to frame 1 ]");
        run.In(1, "munmap", "zap_pte_range")
            .Context(1, "spin_lock(ptl)")
            .Key(1, "ptep_get_and_clear(0x1000)", "was frame 1 RW")
            .Context(1, "spin_unlock(ptl)");
        run.In(1, "munmap", "flush_tlb_mm_range")
            .Context(1, "mm.tlb_gen++")
            .Key(1, "mm_cpumask(next) is 0, no IPI").Decides();
        run.In(1, "munmap").Key(1, "free_unref_page(frame 1)");
        run.In(0).Key(0, "[ store to mm_cpumask(next) reaches memory ]");
        run.In(0, "context_switch", "switch_mm_irqs_off").Context(0, "local_irq_enable()");
        run.In(0).Key(0, "load 0x1000", "[ TLB: stale entry, frame 1 ]").Decides();
        return run.Build("P-life", "CPU0 reads frame 1 through a stale TLB entry of 0x1000 after CPU1 freed the frame.");
    }

    /// <summary>B17 as the checker hands it over: every primitive is a call, and nothing in the handler is worth a row.</summary>
    public static Counterexample HandlerThatFlushesNothing()
    {
        string[] unmap = ["shrink_folio_list", "try_to_unmap", "try_to_unmap_one"];
        string[] flush = ["shrink_folio_list", "try_to_unmap_flush", "arch_tlbbatch_flush", "flush_tlb_multi"];
        RunBuilder run = new(new("CPU0", "reclaim"), new("CPU1", "user"));
        run.In(0, [.. unmap, "pte_offset_map_lock"]).Context(0, "spin_lock(ptl)");
        run.In(0, unmap).Context(0, "ptep_get(0x1000)", "is frame 0, writable");
        run.In(0, [.. unmap, "ptep_get_and_clear"]).Key(0, "ptep_get_and_clear(0x1000)", "was frame 0, writable");
        run.In(0, [.. unmap, "set_tlb_ubc_flush_pending", "inc_mm_tlb_gen"]).Key(0, "mm.tlb_gen++");
        run.In(0, [.. unmap, "set_pte_at"]).Key(0, "set_pte_at(0x1000, swap 0)");
        run.In(0, [.. unmap, "pte_unmap_unlock"]).Context(0, "spin_unlock(ptl)");
        run.In(0, [.. flush, "should_flush_tlb"]).Detail(0, "read cpu1.is_lazy", "is 0");
        run.In(0, [.. flush, "on_each_cpu_mask"]).Detail(0, "cpu0.flush_tlb_info = 5").Key(0, "[ IPI to CPU1 ]");
        run.In(1).Context(1, "[ IPI received ]", "from CPU0").Interrupt();
        run.In(1).Detail(1, "read cpu0.flush_tlb_info", "is 5").Interrupt();
        run.In(1, "flush_tlb_func").Detail(1, "read cpu1.loaded_mm", "is mm").Interrupt();
        run.In(1).Detail(1, "[ IPI acknowledged ]").Interrupt();
        run.In(0, [.. flush, "on_each_cpu_mask"]).Context(0, "[ all IPIs acknowledged ]");
        run.In(0, "shrink_folio_list").Key(0, "free_unref_folios(frame 0)", "is 1");
        run.In(1, "load_pages", "user_load").Key(1, "load 0x1000", "[ TLB: stale entry, frame 0, writable ]").Decides();
        return run.Build("P-life", "CPU1 reads frame 0 through the stale TLB entry of 0x1000 after the frame was freed.");
    }

    /// <summary>B15 as the checker hands it over: each CPU reads what the other one writes too late.</summary>
    public static Counterexample Exchange()
    {
        string[] switching = ["switch_and_load", "switch_to", "switch_mm_irqs_off"];
        RunBuilder run = new(new("CPU0", "switch"), new("CPU1", "reclaim"));
        run.In(1, "split_and_free", "pte_offset_map_lock").Context(1, "spin_lock(ptl0)");
        run.In(1, "split_and_free").Context(1, "pmdp_get(0x1000)", "is frame 0, writable, dirty")
            .Key(1, "pmdp_invalidate(0x1000, none)", "[ in store buffer ]");
        run.In(1, "split_and_free", "flush_tlb_page", "flush_tlb_mm_range").Context(1, "read mm_cpumask(mm)", "is empty")
            .Detail(1, "read cpu1.loaded_mm", "is init_mm");
        run.In(1, "split_and_free", "pte_unmap_unlock").Context(1, "spin_unlock(ptl0)", "[ in store buffer ]");
        run.In(1, "split_and_free").Key(1, "free_page(frame 0)");
        run.In(0, "switch_and_load", "switch_to").Detail(0, "local_irq_disable()");
        run.In(0, switching).Detail(0, "cpu0.loaded_mm = LOADED_MM_SWITCHING", "[ in store buffer ]");
        run.In(0).Context(0, "[ store to cpu0.loaded_mm reaches memory ]");
        run.In(0, switching).Context(0, "mm_cpumask(mm) |= cpu0").Detail(0, "read mm.tlb_gen", "is 1");
        run.In(0, [.. switching, "load_new_mm_cr3"]).Key(0, "load_new_mm_cr3(mm)", "[ TLB flushed ]");
        run.In(0, "switch_and_load", "switch_to").Detail(0, "local_irq_enable()");
        run.In(0, "switch_and_load", "load_pages", "user_load").Key(0, "load 0x1000", "[ TLB: frame 0 ]").Decides();
        return run.Build("P-life", "CPU0 reads frame 0 through the page-table entry of 0x1000 after the frame was freed.");
    }

    /// <summary>Texts that do not fit beside each other, headers included.</summary>
    public static Counterexample LongTexts()
    {
        RunBuilder run = new(
            new("CPU0", "process_madvise of another process"), new("CPU1", "khugepaged_scan_mm_slot"), new("IOMMU0", "device with ATS"));
        run.In(2).Key(2, "translation request for 0x7f0000001000, PASID 5", "[ ATC: frame 3, writable, from a walk ]");
        run.In(0, "process_madvise", "zap_pte_range")
            .Key(0, "mmu_notifier_arch_invalidate_secondary_tlbs(0x7f0000001000, 0x7f0000002000)", "was frame 3 RW A D");
        run.In(1, "khugepaged", "collapse_huge_page")
            .Key(1, "pmdp_collapse_flush(0x7f0000000000)", "[ full TLB flush on CPU0, CPU1 and every CPU in mm_cpumask ]").Decides()
            .Key(1, "__collapse_huge_page_copy(0x7f0000000000, frame 12, frame 13, frame 14)");
        run.In(2).Key(2, "store 0x7f0000001000", "[ ATC: stale entry, frame 3, writable ]").Decides();
        return run.Build("P-write", "IOMMU0 stores to frame 3, which was copied and left, so that nobody will find the value again.");
    }

    /// <summary>Nothing but a deadlock after two steps.</summary>
    public static Counterexample VeryShort()
    {
        RunBuilder run = new(new("CPU0", "mremap"), new("CPU1", "mremap"));
        run.In(0, "move_ptes").Context(0, "spin_lock(ptl0)");
        run.In(1, "move_ptes").Context(1, "spin_lock(ptl1)");
        run.In(0, "move_ptes").Context(0, "spin_lock(ptl1)", "waits for CPU1").Decides();
        run.In(1, "move_ptes").Context(1, "spin_lock(ptl0)", "waits for CPU0").Decides();
        return run.Build("deadlock", "CPU0 and CPU1 wait for each other.");
    }

    /// <summary>One madvise(MADV_DONTNEED), up to the flush if it found a page.</summary>
    private static void Zap(RunBuilder run, int cpu, bool finds)
    {
        run.In(cpu, "madvise_dontneed").Detail(cpu, "madvise()").Context(cpu, "down_read(mmap_lock)");
        run.In(cpu, "madvise_dontneed", "tlb_gather_mmu").Context(cpu, "mm.tlb_flush_pending++", $"is {(finds ? 1 : 2)}");
        run.In(cpu, "madvise_dontneed", "zap_pte_range").Context(cpu, "spin_lock(ptl)");
        if (finds)
        {
            run.Context(cpu, "ptep_get(0x1000)", "is frame 3 RW A").Key(cpu, "ptep_get_and_clear(0x1000)", "was frame 3 RW A");
            run.Detail(cpu, "tlb->start = 0x1000").Context(cpu, "spin_unlock(ptl)");
            run.In(cpu, "madvise_dontneed", "tlb_finish_mmu");
            return;
        }

        run.Context(cpu, "ptep_get(0x1000)", "is none").Decides().Context(cpu, "spin_unlock(ptl)");
        run.In(cpu, "madvise_dontneed", "tlb_finish_mmu").Detail(cpu, "read tlb->start", "is -1").Context(cpu, "mm.tlb_flush_pending--", "is 1");
        run.In(cpu, "madvise_dontneed").Context(cpu, "up_read(mmap_lock)").Key(cpu, "madvise() returns").Decides();
    }
}
