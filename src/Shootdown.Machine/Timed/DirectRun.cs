using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// How paths run on a timed machine: a called method runs at once, on the caller's stack; what it asks for is performed as it
/// asks. Only a path that must wait is moved to the heap, as the frames of a chain from the innermost to the outermost.
/// </summary>
internal static class DirectRun
{
    [ThreadStatic]
    private static bool _isOn;

    [ThreadStatic]
    private static DirectFrame? _waiting;

    [ThreadStatic]
    private static Operation? _operation;

    /// <summary>True once the process has a machine that is explored: until then all kernel code is that of timed ones.</summary>
    private static bool _canBeOff;

    /// <summary>
    /// True while a timed machine runs kernel code on this thread. Asked at every call of kernel code, and a variable of the thread is slow
    /// to read.
    /// </summary>
    internal static bool IsOn => !_canBeOff || IsOnHere;

    /// <summary>Read apart from where it is asked: what a thread-static variable takes is rarely needed.</summary>
    private static bool IsOnHere
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        get => _isOn;
    }

    /// <summary>A timed machine begins to run kernel code on this thread; returns what <see cref="End"/> must be given.</summary>
    internal static bool Begin()
    {
        bool before = _isOn;
        _isOn = true;
        return before;
    }

    /// <summary>It does so no more.</summary>
    internal static void End(bool before) => _isOn = before;

    /// <summary>A machine that is explored is about to be made; its code runs on this thread or on one that it starts.</summary>
    internal static void ExpectExploration() => _canBeOff = true;

    /// <summary>An <see cref="Op"/> without an operation was awaited: a timed machine has performed it, or it is none.</summary>
    /// <exception cref="ProcRuleException">No timed machine runs here.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void CheckPerformed()
    {
        if (!IsOn)
        {
            throw NoOperation();
        }
    }

    /// <summary>A <see cref="Proc"/> without a frame was awaited: it has run on a timed machine, or it is none.</summary>
    /// <exception cref="ProcRuleException">No timed machine runs here.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void CheckEnded()
    {
        if (!IsOn)
        {
            throw NoPath();
        }
    }

    /// <summary>What the innermost frame that was suspended last waits for.</summary>
    internal static Operation? Operation => _operation;

    /// <summary>The innermost frame that was suspended since the last call; null if there is none.</summary>
    internal static DirectFrame? TakeWaiting()
    {
        DirectFrame? waiting = _waiting;
        _waiting = null;
        return waiting;
    }

    /// <summary>A method must wait, for an operation or for a method that it called and that must wait.</summary>
    internal static void Suspend<TAwaiter>(DirectFrame waiting, TAwaiter awaiter)
    {
        switch (awaiter)
        {
            case IOperationAwaiter operation:
                _operation = operation.Operation as WaitingOperation ?? throw HasNoTimedForm(operation.Operation!);
                _waiting = waiting;
                break;
            case ICallAwaiter { Callee: DirectFrame callee }:
                callee.Caller = waiting;
                break;
            default:
                throw new ProcRuleException(
                    $"a Proc awaited {typeof(TAwaiter)}: kernel code may await only machine operations and Procs that it calls there");
        }
    }

    private static ProcRuleException NoOperation() => new("a default(Op) was awaited: use an operation of a Cpu");

    private static ProcRuleException NoPath() => new("a default(Proc) was awaited: call a method that returns Proc");

    private static ProcRuleException HasNoTimedForm(Operation operation) => new(
        $"'{operation.Text}' has no timed form: kernel code that does this can be checked, but not measured");
}

/// <summary>A method of a timed machine that waits.</summary>
internal abstract class DirectFrame : ProcFrame
{
    /// <summary>The frame that called it, once that waits for it.</summary>
    internal DirectFrame? Caller { get; set; }

    /// <summary>True once it has returned.</summary>
    internal bool IsFinished { get; set; }

    /// <summary>Gives the frame back for another call of the same method.</summary>
    internal abstract void Return();
}

/// <summary>Frames are used again: a call that waits allocates only if no other call of the same method has ended before.</summary>
internal sealed class DirectFrame<TStateMachine> : DirectFrame
    where TStateMachine : IAsyncStateMachine
{
    [ThreadStatic]
    private static DirectFrame<TStateMachine>? _free;

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Style", "IDE0044", Justification = "Running the state machine changes it.")]
    private TStateMachine _machine = default!;

    internal override Type StateMachineType => typeof(TStateMachine);

    internal override object Boxed => _machine;

    internal static DirectFrame<TStateMachine> Rent()
    {
        if (_free is not { } frame)
        {
            return new DirectFrame<TStateMachine>();
        }

        _free = (DirectFrame<TStateMachine>?)frame.Caller;
        frame.Caller = null;
        frame.IsFinished = false;
        return frame;
    }

    internal void Hold(ref TStateMachine machine) => _machine = machine;

    internal override ProcFrame Clone() => throw new InvalidOperationException("a timed machine does not copy frames");

    internal override void MoveNext() => _machine.MoveNext();

    internal override void Return()
    {
        _machine = default!;
        Caller = _free;
        _free = this;
    }
}
