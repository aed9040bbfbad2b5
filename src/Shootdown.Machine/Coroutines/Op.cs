using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>An awaitable machine operation without a result.</summary>
/// <param name="Operation">What the machine is asked to do; null if a timed machine has done it.</param>
public readonly record struct Op(Operation? Operation)
{
    /// <summary>An operation that a timed machine has performed already.</summary>
    internal static Op Done => default;

    /// <summary>Asks the machine to perform the operation.</summary>
    public OpAwaiter GetAwaiter() => new(Operation);
}

/// <summary>An awaitable machine operation with a result.</summary>
/// <typeparam name="T">A value of at most 8 bytes, a primitive or a readonly struct around one; or <see cref="CpuSet"/>.</typeparam>
/// <param name="Operation">What the machine is asked to do; null if a timed machine has done it.</param>
public readonly record struct Op<T>(Operation? Operation)
    where T : unmanaged
{
    private readonly T _value;

    private Op(in T value)
        : this((Operation?)null)
        => _value = value;

    /// <summary>Asks the machine to perform the operation.</summary>
    public OpAwaiter<T> GetAwaiter() => new(Operation, _value);

    /// <summary>An operation that a timed machine has performed already, with its result as the machine has it.</summary>
    internal static Op<T> DoneWith(long result) => DoneWithValue(OpResult.As<T>(result));

    /// <summary>An operation that a timed machine has performed already, with its result.</summary>
    internal static Op<T> DoneWithValue(in T value) => new(value);
}

/// <summary>The awaiter of an <see cref="Op"/>; used by compiled code only.</summary>
public readonly struct OpAwaiter : ICriticalNotifyCompletion, IOperationAwaiter
{
    private readonly Operation? _operation;

    internal OpAwaiter(Operation? operation) => _operation = operation;

    /// <summary>True if a timed machine has performed it; else the machine decides when it happens.</summary>
    public bool IsCompleted => _operation is null;

    Operation? IOperationAwaiter.Operation => _operation;

    /// <summary>Nothing to fetch.</summary>
    public void GetResult()
    {
        if (_operation is null)
        {
            DirectRun.CheckPerformed();
        }
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
    private readonly Operation? _operation;
    private readonly T _value;

    internal OpAwaiter(Operation? operation, in T value)
    {
        _operation = operation;
        _value = value;
    }

    /// <summary>True if a timed machine has performed it; else the machine decides when it happens.</summary>
    public bool IsCompleted => _operation is null;

    Operation? IOperationAwaiter.Operation => _operation;

    /// <summary>The result that the machine computed.</summary>
    public T GetResult()
    {
        if (_operation is not null)
        {
            return OpResult.OfStep<T>();
        }

        DirectRun.CheckPerformed();
        return _value;
    }

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation) => throw ProcRuleException.ForeignAwait();
}

/// <summary>Results as programs see them: the machine knows numbers only.</summary>
internal static class OpResult
{
    /// <summary>The result of the step that resumed the path. Not inlined, to keep awaiting code short.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static T OfStep<T>()
        where T : unmanaged
        => As<T>(Trampoline.Current.OperationResult);

    internal static T As<T>(long raw)
        where T : unmanaged
    {
        if (typeof(T) == typeof(CpuSet))
        {
            CpuSet cpus = unchecked((ulong)raw);
            return Unsafe.As<CpuSet, T>(ref cpus);
        }

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

        throw new ProcRuleException($"an operation cannot return {typeof(T)}: results are bool, values of 4 or 8 bytes, or CpuSet");
    }
}

internal interface IOperationAwaiter
{
    Operation? Operation { get; }
}
