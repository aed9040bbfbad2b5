using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// How one call of a kernel path runs; part of its builder, and so of its state machine. Explored code becomes a frame before it
/// runs. On a timed machine it runs on the caller's stack, and becomes a frame if it must wait. A flag says which, not a mark in
/// <see cref="Frame"/>: to store a reference in a state machine is a call of the runtime.
/// </summary>
internal struct ProcActivation
{
    /// <summary>The frame; null while and after a timed machine runs the path at once.</summary>
    internal ProcFrame? Frame { get; private set; }

    /// <summary>True on a timed machine, as long as the path need not wait.</summary>
    internal bool RunsAtOnce { get; private set; }

    internal void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (DirectRun.IsOn)
        {
            RunsAtOnce = true;
            stateMachine.MoveNext();
        }
        else
        {
            Frame = new ProcFrame<TStateMachine>(stateMachine);
        }
    }

    /// <summary>The path returns, and has a frame.</summary>
    internal readonly void Complete()
    {
        if (Frame is DirectFrame direct)
        {
            direct.IsFinished = true;
        }
        else
        {
            Trampoline.Current.Complete();
        }
    }

    /// <summary>
    /// The path asks for an operation that has not been performed, or calls one that has not ended. The awaiter comes by value: one
    /// whose address is taken would have to be in memory, also where the path goes on at once.
    /// </summary>
    internal void Suspend<TAwaiter, TStateMachine>(TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine
    {
        if (RunsAtOnce)
        {
            // Before the copy: this is part of the state machine, and the copy must know its frame.
            DirectFrame<TStateMachine> made = DirectFrame<TStateMachine>.Rent();
            Frame = made;
            RunsAtOnce = false;
            made.Hold(ref stateMachine);
        }

        if (Frame is DirectFrame waiting)
        {
            DirectRun.Suspend(waiting, awaiter);
        }
        else
        {
            Trampoline.Current.Suspend(awaiter);
        }
    }
}
