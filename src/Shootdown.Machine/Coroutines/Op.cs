using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>An awaitable machine operation without a result.</summary>
/// <param name="Operation">What the machine is asked to do.</param>
public readonly record struct Op(Operation Operation)
{
    /// <summary>Asks the machine to perform the operation.</summary>
    public OpAwaiter GetAwaiter() => new(Operation);
}

/// <summary>An awaitable machine operation with a result.</summary>
/// <typeparam name="T">A value of at most 8 bytes: a primitive or a readonly struct around one.</typeparam>
/// <param name="Operation">What the machine is asked to do.</param>
public readonly record struct Op<T>(Operation Operation)
    where T : unmanaged
{
    /// <summary>Asks the machine to perform the operation.</summary>
    public OpAwaiter<T> GetAwaiter() => new(Operation);
}

/// <summary>The awaiter of an <see cref="Op"/>; used by compiled code only.</summary>
public readonly struct OpAwaiter : ICriticalNotifyCompletion, IOperationAwaiter
{
    private readonly Operation _operation;

    internal OpAwaiter(Operation operation) => _operation = operation;

    /// <summary>Always false: the machine decides when it happens.</summary>
    public bool IsCompleted => false;

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

    internal OpAwaiter(Operation operation) => _operation = operation;

    /// <summary>Always false: the machine decides when it happens.</summary>
    public bool IsCompleted => false;

    Operation IOperationAwaiter.Operation => _operation;

    /// <summary>The result that the machine computed.</summary>
    public T GetResult()
    {
        long raw = Trampoline.Current.OperationResult;
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

internal interface IOperationAwaiter
{
    Operation Operation { get; }
}
