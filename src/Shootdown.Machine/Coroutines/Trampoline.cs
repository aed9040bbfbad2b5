using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// Runs suspended stacks: resumes the top frame with the result of its last operation and follows calls and
/// returns until the path asks for its next operation or ends. One instance a thread.
/// </summary>
internal sealed class Trampoline
{
    /// <summary>Calls and returns without an operation in between; more means a loop that never asks the machine.</summary>
    private const int CallsWithoutOperationMax = 100_000;

    /// <summary>Weak: a thread's is gone with the thread.</summary>
    private static readonly ConditionalWeakTable<Trampoline, object?> All = [];

    [ThreadStatic]
    private static Trampoline? _current;

    private ProcFrame? _running;
    private long _runs;

    private Operation? _operation;
    private ProcFrame? _callee;
    private bool _completed;
    private readonly List<string> _calls = [];

    private Trampoline() => All.Add(this, null);

    internal static Trampoline Current => _current ??= new Trampoline();

    internal long OperationResult { get; set; }

    /// <summary>
    /// The functions that the last run called, as the kernel spells them. An override and what it overrides are one function.
    /// </summary>
    internal IReadOnlyList<string> Calls => _calls;

    /// <summary>
    /// What every thread runs at this moment, without waiting for any: a thread that stands at the same run for seconds is in a loop that
    /// never asks the machine.
    /// </summary>
    internal static IEnumerable<CodeAtWork> AtWork()
    {
        foreach ((Trampoline thread, _) in All)
        {
            if (Volatile.Read(ref thread._running) is { } frame)
            {
                yield return new CodeAtWork(thread, Volatile.Read(ref thread._runs), frame.StateMachineType);
            }
        }
    }

    /// <summary>Starts a path and runs it to its first operation.</summary>
    internal (ProcStack? Stack, Operation? Operation) Start(ProcFrame frame)
    {
        _calls.Clear();
        _calls.Add(KernelNames.OfFrame(frame.StateMachineType));
        return Run(frame.Clone(), null);
    }

    /// <summary>Resumes a suspended stack with an operation's result. The given stack is left untouched.</summary>
    internal (ProcStack? Stack, Operation? Operation) Resume(ProcStack stack, long result)
    {
        OperationResult = result;
        _calls.Clear();
        return Run(stack.Frame.Clone(), stack.Caller);
    }

    internal void Complete() => _completed = true;

    internal void Fail(Exception exception)
    {
        _running = null;
        if (exception is ProcRuleException rule)
        {
            throw rule;
        }

        throw new ProcRuleException(
            $"kernel code threw {exception.GetType().Name}: {exception.Message}; "
            + "kernel code must not throw: use cpu.Assert(...) for a condition that the check should report",
            exception);
    }

    internal void Suspend<TAwaiter>(TAwaiter awaiter)
    {
        switch (awaiter)
        {
            case IOperationAwaiter operation:
                _operation = operation.Operation;
                break;
            case ICallAwaiter call:
                _callee = call.Callee;
                break;
            default:
                throw new ProcRuleException(
                    $"a Proc awaited {typeof(TAwaiter)}: kernel code may await only machine operations and other Procs");
        }
    }

    private void NoteCall(Type caller, Type callee)
    {
        string name = KernelNames.OfFrame(callee);
        if (caller == callee || KernelNames.OfFrame(caller) != name)
        {
            _calls.Add(name);
        }
    }

    private (ProcStack? Stack, Operation? Operation) Run(ProcFrame top, ProcStack? caller)
    {
        for (int calls = 0; calls < CallsWithoutOperationMax; calls++)
        {
            _operation = null;
            _callee = null;
            _completed = false;
            _running = top;
            _runs++;
            top.MoveNext();
            _running = null;
            if (_operation is { } operation)
            {
                return (new ProcStack(top, caller), operation);
            }

            if (_callee is { } callee)
            {
                NoteCall(top.StateMachineType, callee.StateMachineType);
                caller = new ProcStack(top, caller);
                top = callee.Clone();
                continue;
            }

            if (!_completed)
            {
                throw new ProcRuleException($"{KernelNames.MethodOfFrame(top.StateMachineType)} stopped without awaiting, returning or throwing");
            }

            if (caller is null)
            {
                return (null, null);
            }

            top = caller.Frame.Clone();
            caller = caller.Caller;
        }

        throw new ProcRuleException(
            $"{KernelNames.MethodOfFrame(top.StateMachineType)} made {CallsWithoutOperationMax} calls without a machine operation: "
            + "a loop of kernel code must await an operation of its Cpu in every round");
    }
}
