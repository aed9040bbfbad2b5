using System.Runtime.InteropServices;

namespace Shootdown.Measure;

/// <summary>
/// Tells which threads of a trace are selected, by all that the trace says of them. Single events often say less: tracefs prints no process
/// of a task that was not switched to yet, and "&lt;...&gt;" for a name that it has forgotten. So it is shown events ahead
/// (<see cref="Learn"/>), and marks each when its turn comes (<see cref="Mark"/>).
/// </summary>
internal sealed class TaskSelection(NameTable names, ReplaySelection selection)
{
    private readonly Dictionary<int, TaskLife> _ahead = [];
    private readonly Dictionary<int, TaskLife> _now = [];
    private readonly Dictionary<int, (long Events, int Comm)> _active = [];
    private readonly int _forgotten = names.Number("<...>");

    /// <summary>True once an event was selected.</summary>
    public bool HasEvents { get; private set; }

    /// <summary>True if the trace names the process of any thread.</summary>
    public bool KnowsProcesses { get; private set; }

    /// <summary>Flushes by initiators whose process was not known although one was asked for.</summary>
    public long FlushesOfUnknown { get; private set; }

    /// <summary>Looks at an event before its turn.</summary>
    public void Learn(in TraceEvent next) => Pass(_ahead, next, isAhead: true);

    /// <summary>The turn of an event: fills in what its thread is known by, and whether it is selected.</summary>
    public void Mark(ref TraceEvent next)
    {
        if (next.Kind == TraceEventKind.StackFrame)
        {
            return;
        }

        if (next.Kind != TraceEventKind.SchedSwitch)
        {
            Describe(ref next);
        }

        TaskLife? child = next.Kind == TraceEventKind.Fork ? Of(_now, (int)next.A0).Next : null;
        next.A2 = next.Kind == TraceEventKind.Fork ? child?.Pid ?? TraceEvent.Unknown : next.A2;
        if (next.Kind == TraceEventKind.SchedSwitch)
        {
            // Its task is the one that it leaves; the columns before the event may lag behind.
            next.IsNextSelected = Holds((int)next.A1, TraceEvent.Unknown, (int)next.A3);
            next.IsSelected = Holds((int)next.A0, next.Tid == next.A0 ? next.Pid : TraceEvent.Unknown, (int)next.A2);
        }
        else
        {
            next.IsSelected = Holds(next.Tid, next.Pid, next.Comm);
        }

        Count(next);
        Pass(_now, next, isAhead: false);
    }

    /// <summary>Why nothing is selected, and what could have been: the most active processes or names.</summary>
    public string Nothing()
    {
        const int shown = 5;
        string asked = string.Join(' ', new[]
        {
            selection.Pid is { } pid ? $"--pid {pid}" : "", selection.Comm is { } comm ? $"--comm {comm}" : "",
        }.Where(text => text.Length > 0));
        bool hasNames = _active.Values.Any(entry => names[entry.Comm].Length > 0);
        if (selection.Pid is null && !hasNames)
        {
            return $"{asked}: the trace has no names of threads (strace prints them with -Y); select by --pid";
        }

        string most = string.Join(", ", _active.OrderByDescending(entry => entry.Value.Events).ThenBy(entry => entry.Key).Take(shown)
            .Select(entry => selection.Pid is null ? names[entry.Key]
                : hasNames ? $"{entry.Key} ({names[entry.Value.Comm]})" : $"{entry.Key}"));
        string what = selection.Pid is null ? "no thread of the trace has a name that begins so"
            : KnowsProcesses ? "no event of the trace is of such a process"
            : "no event of the trace is of such a thread, and the trace names no processes";
        return _active.Count == 0 ? $"{asked}: {what}" : $"{asked}: {what}; the most active are {most}";
    }

    private bool Holds(int tid, int pid, int comm)
    {
        if (selection.IsAll)
        {
            return true;
        }

        if (tid != 0 && _now.TryGetValue(tid, out TaskLife? life))
        {
            pid = pid == TraceEvent.Unknown ? life.Pid : pid;
            comm = IsName(comm) ? comm : life.Name;
        }

        return selection.Holds(pid, tid, names[comm]);
    }

    /// <summary>What the event does not say of its thread.</summary>
    private void Describe(ref TraceEvent next)
    {
        if (next.Tid == 0 || (next.Pid != TraceEvent.Unknown && IsName(next.Comm)) || !_now.TryGetValue(next.Tid, out TaskLife? life))
        {
            return;
        }

        next.Pid = next.Pid == TraceEvent.Unknown ? life.Pid : next.Pid;
        next.Comm = IsName(next.Comm) || life.Name == 0 ? next.Comm : life.Name;
    }

    private void Count(in TraceEvent next)
    {
        HasEvents |= next.IsSelected;
        if (selection.IsAll)
        {
            return;
        }

        bool isFlush = next.Kind == TraceEventKind.TlbFlush
            && (FlushReason)next.A0 is FlushReason.LocalMmShootdown or FlushReason.LocalShootdown;
        if (isFlush && next.Tid != 0 && !next.IsSelected && selection.Pid is { } asked && next.Pid == TraceEvent.Unknown
            && selection.Holds(asked, next.Tid, names[next.Comm]))
        {
            FlushesOfUnknown++;
        }

        if (next.Tid != 0 && (selection.Pid is not null || next.Comm != _forgotten))
        {
            int key = selection.Pid is null ? next.Comm : next.Pid != TraceEvent.Unknown ? next.Pid : next.Tid;
            ref (long Events, int Comm) entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_active, key, out bool exists);
            entry = (entry.Events + 1, IsName(next.Comm) ? next.Comm : entry.Comm);
        }
    }

    private void Pass(Dictionary<int, TaskLife> lives, in TraceEvent next, bool isAhead)
    {
        if (next.Tid != 0 && next.Kind != TraceEventKind.StackFrame)
        {
            TaskLife life = Of(lives, next.Tid);
            if (life.HasEnded && next.Kind is TraceEventKind.SyscallEnter or TraceEventKind.PageFault)
            {
                life = Renew(lives, next.Tid);
            }

            Note(life, next.Pid, next.Comm, isAhead);
            life.HasEnded |= next.Kind == TraceEventKind.Exit;
        }

        if (next.Kind == TraceEventKind.SchedSwitch)
        {
            NoteName(lives, (int)next.A0, (int)next.A2, isAhead);
            NoteName(lives, (int)next.A1, (int)next.A3, isAhead);
            if (next.A0 != 0 && (char)next.A4 is 'X' or 'Z')
            {
                Renew(lives, (int)next.A0);
            }
        }
        else if (next.Kind == TraceEventKind.Fork)
        {
            Note(Renew(lives, (int)next.A0), TraceEvent.Unknown, (int)next.A1, isAhead);
        }
    }

    private void NoteName(Dictionary<int, TaskLife> lives, int tid, int comm, bool isAhead)
    {
        if (tid != 0)
        {
            Note(Of(lives, tid), TraceEvent.Unknown, comm, isAhead);
        }
    }

    private void Note(TaskLife life, int pid, int comm, bool isAhead)
    {
        KnowsProcesses |= pid != TraceEvent.Unknown;
        life.Pid = pid == TraceEvent.Unknown ? life.Pid : pid;
        if (!IsName(comm))
        {
            return;
        }

        life.First = life.First == 0 ? comm : life.First;
        life.Current = isAhead ? life.Current : comm;
    }

    private bool IsName(int comm) => comm != 0 && comm != _forgotten;

    /// <summary>The id is another task's from here on.</summary>
    private TaskLife Renew(Dictionary<int, TaskLife> lives, int tid)
    {
        TaskLife old = Of(lives, tid);
        old.Next ??= new TaskLife();
        return lives[tid] = old.Next;
    }

    /// <summary>Both views go through the same lives of an id, in the same order.</summary>
    private TaskLife Of(Dictionary<int, TaskLife> lives, int tid)
    {
        ref TaskLife? life = ref CollectionsMarshal.GetValueRefOrAddDefault(lives, tid, out bool exists);
        if (life is null)
        {
            life = new TaskLife();
            if (lives == _ahead)
            {
                _now.TryAdd(tid, life);
            }
        }

        return life;
    }

    /// <summary>A task from its creation to its end.</summary>
    private sealed class TaskLife
    {
        /// <summary>The task that has its id afterwards.</summary>
        public TaskLife? Next { get; set; }

        /// <summary>Its process, once known.</summary>
        public int Pid { get; set; } = TraceEvent.Unknown;

        /// <summary>The first name that is known of it; 0 for none.</summary>
        public int First { get; set; }

        /// <summary>Its name at the event whose turn it is; 0 if not known yet.</summary>
        public int Current { get; set; }

        /// <summary>True after its exit; it may still flush and be switched away from.</summary>
        public bool HasEnded { get; set; }

        /// <summary>The best name for it now; 0 for none.</summary>
        public int Name => Current != 0 ? Current : First;
    }
}
