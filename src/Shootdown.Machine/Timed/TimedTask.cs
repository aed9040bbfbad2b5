namespace Shootdown.Machine;

/// <summary>A program that a timed machine runs: it stands where it waits, or has ended.</summary>
public sealed class TimedTask
{
    private DirectFrame? _innermost;

    /// <summary>True once the program has ended.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>What it waits for; null if it has ended.</summary>
    public Operation? WaitsFor { get; private set; }

    /// <summary>The functions that it is in, innermost first, as the kernel spells them.</summary>
    public IEnumerable<string> WaitsIn
    {
        get
        {
            for (DirectFrame? frame = _innermost; frame is not null; frame = frame.Caller)
            {
                yield return KernelNames.OfFrame(frame.StateMachineType);
            }
        }
    }

    /// <summary>Runs a program until it must wait or ends.</summary>
    public static TimedTask Start(Func<Proc> program)
    {
        ArgumentNullException.ThrowIfNull(program);
        var task = new TimedTask();
        bool before = DirectRun.Begin();
        try
        {
            task.HasEnded = program().Frame is null;
            task.Note();
        }
        finally
        {
            DirectRun.End(before);
        }

        return task;
    }

    /// <summary>Runs a program that never waits, such as an interrupt handler, inside of another one.</summary>
    /// <exception cref="ProcRuleException">It waits.</exception>
    public static void RunToEnd(Proc started, string name)
    {
        if (started.Frame is not null)
        {
            throw new ProcRuleException(
                $"{name} waits for '{DirectRun.Operation?.Text}' in an interrupt: a timed machine supports handlers that do not wait");
        }
    }

    /// <summary>Goes on with the result of what it waited for, until it must wait again or ends.</summary>
    public void Resume(long result)
    {
        bool before = DirectRun.Begin();
        try
        {
            Trampoline.Current.OperationResult = result;
            DirectFrame? frame = _innermost;
            while (frame is not null)
            {
                frame.MoveNext();
                if (!frame.IsFinished)
                {
                    break;
                }

                DirectFrame? caller = frame.Caller;
                frame.Return();
                frame = caller;
            }

            HasEnded = frame is null;
            Note();
        }
        finally
        {
            DirectRun.End(before);
        }
    }

    private void Note()
    {
        _innermost = DirectRun.TakeWaiting();
        WaitsFor = HasEnded ? null : DirectRun.Operation;
    }
}
