using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>The compiler's builder of <see cref="Proc"/> methods; not for use by hand.</summary>
[SuppressMessage("Performance", "CA1822", Justification = "The compiler calls these members on an instance.")]
public struct ProcMethodBuilder
{
    private ProcActivation _activation;

    /// <summary>The path that was built.</summary>
    public readonly Proc Task => new(_activation.Frame);

    /// <summary>Called by compiled code.</summary>
    public static ProcMethodBuilder Create() => default;

    /// <summary>
    /// Called by compiled code: keeps the state machine as a frame; nothing runs yet. On a timed machine it runs at once, and
    /// becomes a frame only if it must wait.
    /// </summary>
    public void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
        => _activation.Start(ref stateMachine);

    /// <summary>Called by compiled code.</summary>
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    /// <summary>Called by compiled code.</summary>
    public void SetResult()
    {
        if (!_activation.RunsAtOnce)
        {
            _activation.Complete();
        }
    }

    /// <summary>Called by compiled code.</summary>
    public readonly void SetException(Exception exception) => Trampoline.Current.Fail(exception);

    /// <summary>Called by compiled code.</summary>
    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine
        => _activation.Suspend(awaiter, ref stateMachine);

    /// <summary>Called by compiled code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine
        => _activation.Suspend(awaiter, ref stateMachine);
}

/// <summary>The compiler's builder of <see cref="Proc{T}"/> methods; not for use by hand.</summary>
/// <typeparam name="T">The result of the path.</typeparam>
[SuppressMessage("Performance", "CA1822", Justification = "The compiler calls these members on an instance.")]
public struct ProcMethodBuilder<T>
{
    private ProcActivation _activation;
    private T? _value;

    /// <summary>The path that was built, with what it returned if it ran to its end at once.</summary>
    public readonly Proc<T> Task => new(_activation.Frame, _value!);

    /// <summary>Called by compiled code.</summary>
    [SuppressMessage("Design", "CA1000", Justification = "The compiler requires this shape.")]
    public static ProcMethodBuilder<T> Create() => default;

    /// <summary>
    /// Called by compiled code: keeps the state machine as a frame; nothing runs yet. On a timed machine it runs at once, and
    /// becomes a frame only if it must wait.
    /// </summary>
    public void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
        => _activation.Start(ref stateMachine);

    /// <summary>Called by compiled code.</summary>
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    /// <summary>Called by compiled code.</summary>
    public void SetResult(T result)
    {
        if (_activation.RunsAtOnce)
        {
            _value = result;
            return;
        }

        ReturnSlot<T>.Put(result);
        _activation.Complete();
    }

    /// <summary>Called by compiled code.</summary>
    public readonly void SetException(Exception exception) => Trampoline.Current.Fail(exception);

    /// <summary>Called by compiled code.</summary>
    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine
        => _activation.Suspend(awaiter, ref stateMachine);

    /// <summary>Called by compiled code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine
        => _activation.Suspend(awaiter, ref stateMachine);
}

/// <summary>
/// Carries a returned value from a finished frame on the heap to its caller, within one step of one thread. What ran to its end at
/// once hands it over in its <see cref="Proc{T}"/>.
/// </summary>
internal static class ReturnSlot<T>
{
    [ThreadStatic]
    private static T? _value;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Put(T value) => _value = value;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static T Take()
    {
        T value = _value!;
        _value = default;
        return value;
    }
}
