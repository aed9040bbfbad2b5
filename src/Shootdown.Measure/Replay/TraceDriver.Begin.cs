namespace Shootdown.Measure;

/// <content>What was there when the recording began.</content>
internal sealed partial class TraceDriver
{
    /// <summary>Puts the threads of the begin of the recording where they were, with what they had mapped. Before the first event.</summary>
    public void Begin(IReadOnlyList<RecordedTask> tasks, IReadOnlyList<RecordedArea> areas)
    {
        foreach (RecordedTask recorded in tasks.Where(recorded => recorded.Cpu < _current.Length))
        {
            TracedTask task = _tasks.Begin(recorded.Tid, recorded.Pid);
            if (!recorded.IsLast)
            {
                continue;
            }

            Cpus = Math.Max(Cpus, recorded.Cpu + 1);
            _current[recorded.Cpu] = recorded.IsRunning ? task : null;
            var at = new ReplayPoint(recorded.Cpu, 0, recorded.Tid, IsSelected: false);
            foreach (ReplayedKernel kernel in _kernels)
            {
                kernel.SwitchTo(at, task.Process!.Id);
                if (!recorded.IsRunning)
                {
                    kernel.EnterLazy(at);
                }
            }
        }

        foreach (RecordedArea area in areas)
        {
            if (_tasks.Process(area.Pid) is { } process)
            {
                Begin(process, area);
            }
        }
    }

    private void Begin(TracedProcess process, in RecordedArea recorded)
    {
        if (process.IsUnknown)
        {
            _tasks.Know(process);
        }

        long first = recorded.First >>> PageShift;
        long end = first + PagesOf(recorded.Bytes);
        process.Areas.Remove(first, end);
        process.Areas.Add(new Area(first, end, recorded.Protection, recorded.Kind));
        int place = process.Places.RangeOf(first, end);
        foreach (ReplayedKernel kernel in place < 0 ? [] : _kernels)
        {
            kernel.Know(process.Id, place, (int)(end - first), recorded.Protection);
        }
    }
}
