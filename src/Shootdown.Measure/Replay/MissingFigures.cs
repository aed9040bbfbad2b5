namespace Shootdown.Measure;

/// <summary>Figures that a report leaves out, each with what the trace would have to have, and threads that it could not place.</summary>
internal static class MissingFigures
{
    /// <summary>All of them.</summary>
    /// <param name="reader">The trace, read to its end.</param>
    /// <param name="analysis">What it has.</param>
    /// <param name="options">What was asked for.</param>
    /// <param name="selection">What was selected.</param>
    /// <param name="cpus">CPUs of the machines that predict.</param>
    public static IEnumerable<string> Of(TraceReader reader, TraceAnalysis analysis, ReplayOptions options, TaskSelection selection, int cpus)
        => Selection(options.Selection, selection).Concat(Inputs(reader, analysis, options, cpus));

    private static IEnumerable<string> Selection(ReplaySelection asked, TaskSelection selection)
    {
        if (asked.Pid is not { } pid)
        {
            yield break;
        }

        if (!selection.KnowsProcesses)
        {
            yield return $"other threads of process {pid}: the trace names no processes, so --pid selects the thread {pid} alone; --comm selects by name";
        }
        else if (selection.FlushesOfUnknown > 0)
        {
            string flushes = selection.FlushesOfUnknown == 1 ? "1 flush" : $"{selection.FlushesOfUnknown} flushes";
            yield return $"{flushes} of threads whose process the trace does not name: some may be of process {pid}; --comm selects by name";
        }
    }

    private static IEnumerable<string> Inputs(TraceReader reader, TraceAnalysis analysis, ReplayOptions options, int cpus)
    {
        if (!analysis.Has(TraceEventKind.TlbFlush))
        {
            yield return "no tlb:tlb_flush events: no flushes by cause, no interrupts, only system calls";
        }
        else if (analysis.Counts.Remote > 0 && !analysis.HasInterruptEnds)
        {
            yield return "no irq_vectors:call_function*_exit events: the time that interrupted CPUs lose is left out";
        }

        if (analysis.CpusSeen == 0)
        {
            yield return $"no CPU numbers: no heat map, no timeline{(options.TimelineOut is null ? "" : " (the file of --trace-out is empty)")}, no prediction";
        }

        if (reader.Format == TraceFormat.Strace && !reader.HasDurations)
        {
            yield return "no durations of calls (strace -T): no time in calls";
        }

        if (analysis.WrongCpu > 0 && options.Kernel is null && TimedProfile.For(reader.KernelVersion) != TimedProfile.Linux618)
        {
            yield return "the right kernel: the trace has flushes of reason 5 (remote wrong CPU), which 6.14 and later log, and does not name "
                + "such a version; give --kernel 6.18";
        }

        string[] inputs =
        [
            .. analysis.Has(TraceEventKind.SyscallExit) ? Array.Empty<string>() : ["syscalls:sys_enter_* and sys_exit_*"],
            .. analysis.Has(TraceEventKind.PageFault) ? Array.Empty<string>() : ["exceptions:page_fault_user"],
            .. analysis.Has(TraceEventKind.SchedSwitch) ? Array.Empty<string>() : ["sched:sched_switch"],
        ];
        if (inputs.Length > 0)
        {
            yield return $"no {string.Join(", ", inputs)} events: no prediction";
        }

        if (analysis.CpusSeen > cpus)
        {
            yield return cpus == ReplayedKernel.CpusMax ? $"more than {cpus} CPUs: no prediction"
                : $"CPU {analysis.CpusSeen - 1} had its first event late, and the machine was made for {cpus} CPUs: no prediction; "
                    + $"a first line 'cpus={analysis.CpusSeen}' tells";
        }

        if (inputs.Length == 0 && reader.Settings.NumaBalancing == true)
        {
            yield return "NUMA balancing was on (kernel.numa_balancing): its scans flush in the middle of programs, and are in no prediction";
        }

        if (options.Policies.Count > 0 && (analysis.CpusSeen == 0 || analysis.CpusSeen > cpus || inputs.Length > 0))
        {
            yield return "no comparison of policies: whom a flush interrupts depends on who runs where, and on what is mapped; "
                + "it needs all that a prediction needs";
        }

        if (analysis.Has(TraceEventKind.TlbFlush) && !analysis.HasStacks)
        {
            yield return "no call stacks: no call sites";
        }
    }
}
