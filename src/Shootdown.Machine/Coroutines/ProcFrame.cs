using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>One activation of a kernel path: a copy of its compiler-generated state machine.</summary>
internal abstract class ProcFrame
{
    internal abstract Type StateMachineType { get; }

    /// <summary>A copy that can be run while this one stays as it is.</summary>
    internal abstract ProcFrame Clone();

    internal abstract void MoveNext();

    /// <summary>The state machine, boxed if it is a struct; only for encoding.</summary>
    internal abstract object Boxed { get; }
}

internal sealed class ProcFrame<TStateMachine> : ProcFrame
    where TStateMachine : IAsyncStateMachine
{
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Style", "IDE0044", Justification = "Running the state machine changes it.")]
    private TStateMachine _machine;

    /// <summary>Release builds pass a struct, which is copied here; debug builds pass a class made for this call.</summary>
    internal ProcFrame(TStateMachine machine) => _machine = machine;

    internal override Type StateMachineType => typeof(TStateMachine);

    internal override object Boxed => _machine;

    internal override ProcFrame Clone()
    {
        if (typeof(TStateMachine).IsValueType)
        {
            return new ProcFrame<TStateMachine>(_machine);
        }

        return new ProcFrame<TStateMachine>((TStateMachine)ObjectCopier.MemberwiseCopy(_machine));
    }

    internal override void MoveNext() => _machine.MoveNext();
}

/// <summary>A suspended stack of frames, innermost first. Immutable.</summary>
internal sealed class ProcStack(ProcFrame frame, ProcStack? caller)
{
    private long[]? _encoding;

    internal ProcFrame Frame { get; } = frame;

    internal ProcStack? Caller { get; } = caller;

    /// <summary>The frame's own canonical encoding (not that of its callers).</summary>
    internal long[] Encoding => _encoding ??= FrameCodec.Encode(Frame);
}

internal static class ObjectCopier
{
    private static readonly Func<object, object> Copy =
        typeof(object).GetMethod("MemberwiseClone", System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)!
            .CreateDelegate<Func<object, object>>();

    internal static object MemberwiseCopy(object original) => Copy(original);
}
