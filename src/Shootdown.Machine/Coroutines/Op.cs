using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>An awaitable machine operation without a result.</summary>
/// <param name="Operation">What the machine is asked to do.</param>
public readonly record struct Op(Operation Operation)
{
    /// <summary>An operation that a timed machine has performed already.</summary>
    internal static Op Done => new(DoneOperation.Instance);

    /// <summary>Asks the machine to perform the operation.</summary>
    public OpAwaiter GetAwaiter() => new(Operation);
}

/// <summary>An awaitable machine operation with a result.</summary>
/// <typeparam name="T">A value of at most 8 bytes: a primitive or a readonly struct around one.</typeparam>
/// <param name="Operation">What the machine is asked to do.</param>
public readonly record struct Op<T>(Operation Operation)
    where T : unmanaged
{
    private Op(long result)
        : this(DoneOperation.Instance) => Result = result;

    private long Result { get; }

    /// <summary>Asks the machine to perform the operation.</summary>
    public OpAwaiter<T> GetAwaiter() => new(Operation, Result);

    /// <summary>An operation that a timed machine has performed already, with its result.</summary>
    internal static Op<T> DoneWith(long result) => new(result);
}

/// <summary>The awaiter of an <see cref="Op"/>; used by compiled code only.</summary>
public readonly struct OpAwaiter : ICriticalNotifyCompletion, IOperationAwaiter
{
    private readonly Operation _operation;

    internal OpAwaiter(Operation operation) => _operation = operation;

    /// <summary>True if a timed machine has performed it; else the machine decides when it happens.</summary>
    public bool IsCompleted => ReferenceEquals(_operation, DoneOperation.Instance);

    Operation IOperationAwaiter.Operation => _operation;

    /// <summary>Nothing to fetch.</summary>
    public void GetResult()
    {
    }

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();
}

/// <summary>The awaiter of an <see cref="Op{T}"/>; used by compiled code only.</summary>
/// <typeparam name="T">The result.</typeparam>
public readonly struct OpAwaiter<T> : ICriticalNotifyCompletion, IOperationAwaiter
    where T : unmanaged
{
    private readonly Operation _operation;
    private readonly long _result;

    internal OpAwaiter(Operation operation, long result)
    {
        _operation = operation;
        _result = result;
    }

    /// <summary>True if a timed machine has performed it; else the machine decides when it happens.</summary>
    public bool IsCompleted => ReferenceEquals(_operation, DoneOperation.Instance);

    Operation IOperationAwaiter.Operation => _operation;

    /// <summary>The result that the machine computed.</summary>
    public T GetResult()
    {
        long raw = IsCompleted ? _result : Trampoline.Current.OperationResult;
        if (typeof(T) == typeof(bool))
        {
            bool flag = raw != 0;
            return Unsafe.As<bool, T>(ref flag);
        }

        if (Unsafe.SizeOf<T>() == sizeof(long))
        {
            return Unsafe.As<long, T>(ref raw);
        }

        if (Unsafe.SizeOf<T>() == sizeof(int))
        {
            int narrow = checked((int)raw);
            return Unsafe.As<int, T>(ref narrow);
        }

        throw new ProcRuleException($"an operation cannot return {typeof(T)}: results are bool or values of 4 or 8 bytes");
    }

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();
}

/// <summary>Stands for an operation that was performed when the program asked for it.</summary>
internal sealed class DoneOperation : Operation
{
    internal static readonly DoneOperation Instance = new();

    public override string Text => "done";

    public override long Execute(MachineState state, int alternative) => 0;

    public override void AddFootprint(Footprint footprint)
    {
    }
}

internal interface IOperationAwaiter
{
    Operation Operation { get; }
}
