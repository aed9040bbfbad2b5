using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>The compiler's builder of <see cref="Proc"/> methods; not for use by hand.</summary>
[SuppressMessage("Performance", "CA1822", Justification = "The compiler calls these members on an instance.")]
public struct ProcMethodBuilder
{
    private ProcFrame? _frame;

    /// <summary>
    /// Explored code has no frame here, or, where the compiler makes state machines classes (without optimisation), one that is not the timed
    /// machine's: the builder that starts a method and the one that ends it are then the same.
    /// </summary>
    private readonly bool RunsAtOnce => _frame is { IsDirect: true };

    /// <summary>The path that was built.</summary>
    public readonly Proc Task => new(_frame!);

    /// <summary>Called by compiled code.</summary>
    public static ProcMethodBuilder Create()
        => DirectRun.IsOn ? new() { _frame = ProcFrame.Direct } : default;

    /// <summary>
    /// Called by compiled code: keeps the state machine as a frame; nothing runs yet. On a timed machine it runs at once, and
    /// becomes a frame only if it must wait.
    /// </summary>
    public void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (_frame is null)
        {
            _frame = new ProcFrame<TStateMachine>(stateMachine);
        }
        else
        {
            stateMachine.MoveNext();
        }
    }

    /// <summary>Called by compiled code.</summary>
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    /// <summary>Called by compiled code.</summary>
    public void SetResult()
    {
        if (!RunsAtOnce)
        {
            Trampoline.Current.Complete();
        }
        else
        {
            DirectRun.Complete(ref _frame);
        }
    }

    /// <summary>Called by compiled code.</summary>
    public readonly void SetException(Exception exception) => Trampoline.Current.Fail(exception);

    /// <summary>Called by compiled code.</summary>
    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine
    {
        if (!RunsAtOnce)
        {
            Trampoline.Current.Suspend(awaiter);
        }
        else
        {
            DirectRun.Suspend(ref _frame, ref awaiter, ref stateMachine);
        }
    }

    /// <summary>Called by compiled code.</summary>
    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine
    {
        if (!RunsAtOnce)
        {
            Trampoline.Current.Suspend(awaiter);
        }
        else
        {
            DirectRun.Suspend(ref _frame, ref awaiter, ref stateMachine);
        }
    }
}

/// <summary>The compiler's builder of <see cref="Proc{T}"/> methods; not for use by hand.</summary>
/// <typeparam name="T">The result of the path.</typeparam>
[SuppressMessage("Performance", "CA1822", Justification = "The compiler calls these members on an instance.")]
public struct ProcMethodBuilder<T>
{
    private ProcFrame? _frame;

    /// <summary>
    /// Explored code has no frame here, or, where the compiler makes state machines classes (without optimisation), one that is not the timed
    /// machine's: the builder that starts a method and the one that ends it are then the same.
    /// </summary>
    private readonly bool RunsAtOnce => _frame is { IsDirect: true };

    /// <summary>The path that was built.</summary>
    public readonly Proc<T> Task => new(_frame!);

    /// <summary>Called by compiled code.</summary>
    [SuppressMessage("Design", "CA1000", Justification = "The compiler requires this shape.")]
    public static ProcMethodBuilder<T> Create()
        => DirectRun.IsOn ? new() { _frame = ProcFrame.Direct } : default;

    /// <summary>
    /// Called by compiled code: keeps the state machine as a frame; nothing runs yet. On a timed machine it runs at once, and
    /// becomes a frame only if it must wait.
    /// </summary>
    public void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (_frame is null)
        {
            _frame = new ProcFrame<TStateMachine>(stateMachine);
        }
        else
        {
            stateMachine.MoveNext();
        }
    }

    /// <summary>Called by compiled code.</summary>
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    /// <summary>Called by compiled code.</summary>
    public void SetResult(T result)
    {
        ReturnSlot<T>.Put(result);
        if (!RunsAtOnce)
        {
            Trampoline.Current.Complete();
        }
        else
        {
            DirectRun.Complete(ref _frame);
        }
    }

    /// <summary>Called by compiled code.</summary>
    public readonly void SetException(Exception exception) => Trampoline.Current.Fail(exception);

    /// <summary>Called by compiled code.</summary>
    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine
    {
        if (!RunsAtOnce)
        {
            Trampoline.Current.Suspend(awaiter);
        }
        else
        {
            DirectRun.Suspend(ref _frame, ref awaiter, ref stateMachine);
        }
    }

    /// <summary>Called by compiled code.</summary>
    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine
    {
        if (!RunsAtOnce)
        {
            Trampoline.Current.Suspend(awaiter);
        }
        else
        {
            DirectRun.Suspend(ref _frame, ref awaiter, ref stateMachine);
        }
    }
}

/// <summary>Carries a returned value from a finished frame to its caller, within one step of one thread.</summary>
internal static class ReturnSlot<T>
{
    [ThreadStatic]
    private static T? _value;

    internal static void Put(T value) => _value = value;

    internal static T Take()
    {
        T value = _value!;
        _value = default;
        return value;
    }
}
