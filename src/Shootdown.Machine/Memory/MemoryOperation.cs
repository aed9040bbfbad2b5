namespace Shootdown.Machine;

/// <summary>What a <see cref="MemoryOperation"/> does to its word.</summary>
public enum MemoryAction
{
    /// <summary>Returns the value.</summary>
    Load,

    /// <summary>Plain store.</summary>
    Store,

    /// <summary>Atomic add; returns the new value.</summary>
    AddReturn,

    /// <summary>Atomic or; returns the old value.</summary>
    FetchOr,

    /// <summary>Atomic and; returns the old value.</summary>
    FetchAnd,

    /// <summary>Atomic exchange; returns the old value.</summary>
    Exchange,

    /// <summary>Atomic compare-exchange; returns the value that was found.</summary>
    CompareExchange,
}

/// <summary>An access of a CPU to a word of kernel memory.</summary>
public sealed class MemoryOperation : Operation
{
    private readonly Cpu _cpu;
    private readonly Word _word;
    private readonly MemoryAction _action;
    private readonly ulong _operand;
    private readonly ulong _expected;
    private readonly MemoryOrder _order;
    private readonly StepWeight _weight;
    private readonly string? _text;

    internal MemoryOperation(
        Cpu cpu, Word word, MemoryAction action, ulong operand, ulong expected, MemoryOrder order, StepWeight weight, string? text = null)
    {
        _cpu = cpu;
        _word = word;
        _action = action;
        _operand = operand;
        _expected = expected;
        _order = order;
        _weight = weight;
        _text = text;
        if (word.Owner is { } owner && owner != cpu)
        {
            throw new ProcRuleException($"{cpu} touched {word.Name}, which is local to {owner}: make it a shared word");
        }
    }

    /// <inheritdoc/>
    public override bool IsLocal => _word.Kind == WordKind.Local;

    /// <inheritdoc/>
    public override StepWeight Weight => _weight;

    /// <inheritdoc/>
    public override string Text => _text ?? _action switch
    {
        MemoryAction.Load => $"read {_word.Name}",
        MemoryAction.Store => $"{_word.Name} = {_word.Show(_operand)}",
        MemoryAction.AddReturn when _operand == 1 => $"{_word.Name}++",
        MemoryAction.AddReturn when (long)_operand == -1 => $"{_word.Name}--",
        MemoryAction.AddReturn => $"{_word.Name} += {(long)_operand}",
        MemoryAction.FetchOr => $"{_word.Name} |= {_word.Show(_operand)}",
        MemoryAction.FetchAnd => $"{_word.Name} &= ~{_word.Show(~_operand)}",
        MemoryAction.Exchange => $"xchg({_word.Name}, {_word.Show(_operand)})",
        _ => $"cmpxchg({_word.Name}, {_word.Show(_expected)}, {_word.Show(_operand)})",
    };

    private MemoryModel Model => _cpu.Machine.Model;

    /// <inheritdoc/>
    public override HeldChange? HeldAfter(long result) => (_action, _word) switch
    {
        (MemoryAction.AddReturn, _) when _word == _cpu.PreemptCount => new HeldChange(string.Empty, HoldKind.PreemptOff, (long)_operand > 0),
        (MemoryAction.CompareExchange, _) when result == 0 && _cpu.Machine.IsSpinLock(_word.Address)
            => new HeldChange(_word.Name, HoldKind.Spinlock, true),
        _ => null,
    };

    private bool IsAtomic => _action > MemoryAction.Store;

    /// <inheritdoc/>
    public override int Alternatives(MachineState state) => IsLocal ? 1 : _action switch
    {
        MemoryAction.Load => Model.LoadAlternatives(state, _cpu, _word.Address, _order),
        MemoryAction.Store => Model.StoreAlternatives(state, _cpu, _order),
        _ => Model.IsDrained(state, _cpu) ? 1 : 0,
    };

    /// <inheritdoc/>
    public override long Execute(MachineState state, int alternative)
    {
        int address = _word.Address;
        if (_action == MemoryAction.Load)
        {
            ulong loaded = IsLocal ? state.Read(address) : Model.Load(state, _cpu, address, _order, alternative);
            if (!IsLocal)
            {
                // A local read is no step of its own: a note would stand under the step before it.
                state.Record?.Note($"is {_word.Show(loaded)}");
            }

            return unchecked((long)loaded);
        }

        if (_action == MemoryAction.Store && !IsLocal)
        {
            Model.Store(state, _cpu, address, _operand, _order);
            return 0;
        }

        ulong old = state.Read(address);
        ulong value = _action switch
        {
            MemoryAction.Store or MemoryAction.Exchange => _operand,
            MemoryAction.AddReturn => old + _operand,
            MemoryAction.FetchOr => old | _operand,
            MemoryAction.FetchAnd => old & _operand,
            _ => old == _expected ? _operand : old,
        };
        _cpu.Machine.Commit(state, address, value);
        return unchecked((long)(_action == MemoryAction.AddReturn ? value : old));
    }

    /// <inheritdoc/>
    public override long ResultUnder(Permutation permutation, long result)
    {
        ArgumentNullException.ThrowIfNull(permutation);
        return unchecked((long)permutation.ValueOf(_cpu.Machine.PlaceOf(_word.Address).Meaning, (ulong)result));
    }

    /// <inheritdoc/>
    public override void AddFootprint(Footprint footprint)
    {
        if (_action == MemoryAction.Load)
        {
            Model.AddLoadFootprint(footprint, _cpu, _word.Address);
        }
        else if (_action == MemoryAction.Store && !IsLocal)
        {
            Model.AddStoreFootprint(footprint, _cpu, _word.Address);
        }
        else
        {
            _cpu.Machine.AddCommitFootprint(footprint, _word.Address);
        }

        if (IsAtomic)
        {
            Model.AddDrainFootprint(footprint, _cpu);
        }
    }
}

/// <summary>A full barrier (<c>smp_mb</c>): waits until all earlier stores of the CPU are visible.</summary>
internal sealed class FenceOperation(Cpu cpu, string function) : Operation
{
    public override string Text => function;

    public override StepWeight Weight => StepWeight.Context;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative) => 0;

    public override void AddFootprint(Footprint footprint) => cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
}
