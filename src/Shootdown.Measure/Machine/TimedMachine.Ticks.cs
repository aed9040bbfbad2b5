using Shootdown.Machine;

namespace Shootdown.Measure;

/// <content>Scheduler ticks, as far as somebody has left work for them.</content>
public sealed partial class TimedMachine
{
    /// <summary>The tick of a kernel with HZ=1000.</summary>
    private const long TickNs = 1_000_000;

    private readonly PriorityQueue<(int Cpu, int Function), (long Time, int Cpu)> _ticks = new();
    private CpuSet _tickDue;

    /// <summary>When the first tick comes that has anything to do.</summary>
    private long _nextTick = long.MaxValue;

    /// <summary>When the first CPU has anything to do: a program that goes on, or a tick.</summary>
    private long NextTime => Math.Min(_queue.NextTime, _nextTick);

    /// <summary>
    /// Each CPU's ticks come every millisecond, at an offset of its own. The work of several callers is done by one tick, so there is one
    /// function for all of them.
    /// </summary>
    /// <inheritdoc/>
    public override Op RaiseTick(Cpu cpu, in CpuSet mask, int function)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        long now = Clock[cpu.Index];
        for (int target = mask.First; target >= 0; target = mask.After(target))
        {
            if (!_tickDue.Contains(target))
            {
                long offset = TickNs * target / Cpus.Count;
                long time = ((((now - offset) / TickNs) + 1) * TickNs) + offset;
                _ticks.Enqueue((target, function), (time, target));
                _nextTick = Math.Min(_nextTick, time);
            }
        }

        _tickDue |= mask;
        return Performed;
    }

    /// <summary>Runs the tick that comes first, on top of what its CPU does. That there is a tick costs nothing: there always is one.</summary>
    private void Tick()
    {
        _ticks.TryDequeue(out (int Cpu, int Function) tick, out (long Time, int Cpu) due);
        _nextTick = _ticks.TryPeek(out _, out (long Time, int Cpu) first) ? first.Time : long.MaxValue;
        _tickDue = _tickDue.Without(Model.Cpus[tick.Cpu]);
        TimedCpu target = Cpus[tick.Cpu];
        long start = Math.Max(due.Time, target.HandlerEnd);
        long before = BeginHandler(target, start);
        if (!TimedTask.Start(() => Model.Interrupts.CodeOf(tick.Function)(target.Cpu, target.Cpu)).HasEnded)
        {
            throw new ProcRuleException($"the tick of {target.Cpu} waits: a timed machine supports handlers that do not wait");
        }

        long end = EndHandler(target, start, before);
        Trace?.Handler(target.Cpu, start, end, target.Cpu);
    }
}
