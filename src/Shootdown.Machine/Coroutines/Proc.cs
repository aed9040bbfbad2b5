using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// A kernel path: the task-like return type of every method that models kernel code. Calling such a method
/// only builds its first frame; the body runs when the returned value is awaited by another path or started as
/// an agent. Every <c>await</c> on an operation of a <see cref="Cpu"/> is a point where other agents may run.
/// </summary>
/// <remarks>
/// A suspended path is a stack of frames that is never mutated: running it clones the top frame first, so that a
/// snapshot is one reference. Kernel code therefore must not keep mutable state of its own (see docs/soundness.md).
/// </remarks>
[AsyncMethodBuilder(typeof(ProcMethodBuilder))]
public readonly struct Proc
{
    internal Proc(ProcFrame? frame) => Frame = frame;

    /// <summary>Null if a timed machine has run it to its end.</summary>
    internal ProcFrame? Frame { get; }

    /// <summary>Calls the path: it runs to its end before the awaiting path goes on.</summary>
    public ProcAwaiter GetAwaiter() => new(Frame);
}

/// <summary>A kernel path that returns a value. See <see cref="Proc"/>.</summary>
/// <typeparam name="T">The result; it must follow the same immutability rule as locals of kernel code.</typeparam>
[AsyncMethodBuilder(typeof(ProcMethodBuilder<>))]
public readonly struct Proc<T>
{
    private readonly ProcFrame? _frame;
    private readonly T _value;

    internal Proc(ProcFrame? frame, T value)
    {
        _frame = frame;
        _value = value;
    }

    /// <summary>Calls the path: it runs to its end before the awaiting path goes on.</summary>
    public ProcAwaiter<T> GetAwaiter() => new(_frame, _value);
}

/// <summary>The awaiter of a called <see cref="Proc"/>; used by compiled code only.</summary>
public readonly struct ProcAwaiter : ICriticalNotifyCompletion, ICallAwaiter
{
    private readonly ProcFrame? _callee;

    internal ProcAwaiter(ProcFrame? callee) => _callee = callee;

    /// <summary>True if the callee ran to its end on a timed machine; else the trampoline runs it.</summary>
    public bool IsCompleted => _callee is null;

    ProcFrame? ICallAwaiter.Callee => _callee;

    /// <summary>Nothing to fetch.</summary>
    public void GetResult()
    {
        if (_callee is null)
        {
            DirectRun.CheckEnded();
        }
    }

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();
}

/// <summary>The awaiter of a called <see cref="Proc{T}"/>; used by compiled code only.</summary>
/// <typeparam name="T">The result of the callee.</typeparam>
public readonly struct ProcAwaiter<T> : ICriticalNotifyCompletion, ICallAwaiter
{
    private readonly ProcFrame? _callee;
    private readonly T _value;

    internal ProcAwaiter(ProcFrame? callee, T value)
    {
        _callee = callee;
        _value = value;
    }

    /// <summary>True if the callee ran to its end on a timed machine; else the trampoline runs it.</summary>
    public bool IsCompleted => _callee is null;

    ProcFrame? ICallAwaiter.Callee => _callee;

    /// <summary>The value that the callee returned.</summary>
    public T GetResult()
    {
        if (_callee is not null)
        {
            return ReturnSlot<T>.Take();
        }

        DirectRun.CheckEnded();
        return _value;
    }

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();
}

internal interface ICallAwaiter
{
    ProcFrame? Callee { get; }
}
