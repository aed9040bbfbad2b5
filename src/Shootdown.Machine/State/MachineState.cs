using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// All that changes: the words of memory and hardware, and the local state of every agent. Every write is
/// logged, so that a step is undone in the time it took, and kept in a 128-bit fingerprint as it happens.
/// One instance a worker thread; not thread-safe.
/// </summary>
public sealed class MachineState
{
    private readonly ulong[] _words;
    private readonly ulong[] _keyLow;
    private readonly ulong[] _keyHigh;
    private readonly LocalState[] _locals;
    private int[] _undoAddress = new int[1024];
    private ulong[] _undoValue = new ulong[1024];
    private readonly long[] _judgements;
    private (int Agent, LocalState Local)[] _undoLocal = new (int Agent, LocalState Local)[256];
    private int _undoCount;
    private int _undoLocalCount;
    private ulong _hashLow;
    private ulong _hashHigh;

    /// <summary>The initial state of a machine and its agents.</summary>
    public MachineState(MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        Machine = machine;
        _words = machine.InitialWords();
        (_keyLow, _keyHigh) = machine.WordKeys();
        _locals = [.. machine.Agents.Select(agent => agent.Initial)];
        _judgements = new long[machine.Monitors.Count];
        RecomputeHash();
    }

    /// <summary>The machine that this is a state of.</summary>
    public MachineModel Machine { get; }

    /// <summary>Set by a property when a step violates it; the explorer stops there.</summary>
    public Violation? Violation { get; set; }

    /// <summary>Where steps describe themselves during a replay; null while exploring.</summary>
    public StepRecord? Record { get; set; }

    /// <summary>False while a step that was counted before is repeated.</summary>
    public bool CountsJudgements { get; set; } = true;

    /// <summary>Judgements by property slot.</summary>
    public IReadOnlyList<long> Judgements => _judgements;

    /// <summary>Low half of the fingerprint.</summary>
    public ulong HashLow => _hashLow;

    /// <summary>High half of the fingerprint.</summary>
    public ulong HashHigh => _hashHigh;

    /// <summary>Where the undo log stands; pass it to <see cref="UndoTo"/>.</summary>
    public long UndoMark => ((long)_undoLocalCount << 32) | (uint)_undoCount;

    /// <summary>All words, for packing and reports.</summary>
    public ReadOnlySpan<ulong> Words => _words;

    /// <summary>The local states of all agents, for packing.</summary>
    public ReadOnlySpan<LocalState> Locals => _locals;

    /// <summary>The raw value of a word, past every store buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Read(int address) => _words[address];

    /// <summary>Changes a word, its fingerprint and the undo log.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Write(int address, ulong value)
    {
        ulong old = _words[address];
        if (old != value)
        {
            WriteChanged(address, old, value);
        }
    }

    /// <summary>The local state of an agent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public LocalState LocalOf(int agent) => _locals[agent];

    /// <summary>Moves an agent to a local state, its fingerprint and the undo log.</summary>
    public void SetLocal(int agent, LocalState local)
    {
        LocalState old = _locals[agent];
        if (ReferenceEquals(old, local))
        {
            return;
        }

        if (_undoLocalCount == _undoLocal.Length)
        {
            Array.Resize(ref _undoLocal, _undoLocalCount * 2);
        }

        _undoLocal[_undoLocalCount++] = (agent, old);
        MoveLocal(agent, old, local);
    }

    /// <summary>
    /// In how many ways an agent can move now: 0 if its program ended, its operation must wait, or it is a task whose CPU
    /// handles an interrupt.
    /// </summary>
    public int AlternativesOf(Agent agent)
    {
        Operation? operation = _locals[agent.Index].Operation;
        return operation is null || IsInterrupted(agent) ? 0 : operation.Alternatives(this);
    }

    /// <summary>
    /// Why an agent cannot move: the address of a word without whose change it stays blocked, or -1 if not known.
    /// </summary>
    public int BlockedOn(Agent agent)
        => IsInterrupted(agent) ? (agent.Cpu ?? PlaceOf(agent)!).InInterruptAddress : _locals[agent.Index].Operation?.BlockedOn(this) ?? -1;

    /// <summary>Counts one judgement of a property, unless a step is only repeated.</summary>
    public void Judged(int propertySlot)
    {
        if (CountsJudgements)
        {
            _judgements[propertySlot]++;
        }
    }

    /// <summary>Takes back every change since the mark was read.</summary>
    public void UndoTo(long mark)
    {
        int localMark = (int)(mark >> 32);
        while (_undoLocalCount > localMark)
        {
            (int agent, LocalState local) = _undoLocal[--_undoLocalCount];
            MoveLocal(agent, _locals[agent], local);
        }

        int wordMark = (int)mark;
        for (int i = _undoCount - 1; i >= wordMark; i--)
        {
            int address = _undoAddress[i];
            ulong value = _undoValue[i];
            Rehash(address, _words[address], value);
            _words[address] = value;
        }

        _undoCount = wordMark;
    }

    /// <summary>Forgets the log: what was changed so far cannot be undone.</summary>
    public void ForgetUndo()
    {
        _undoCount = 0;
        _undoLocalCount = 0;
    }

    /// <summary>Replaces the whole state by a packed one and forgets the log.</summary>
    public void Restore(ReadOnlySpan<ulong> words, ReadOnlySpan<LocalState> locals)
    {
        words.CopyTo(_words);
        locals.CopyTo(_locals);
        ForgetUndo();
        Violation = null;
        RecomputeHash();
    }

    /// <summary>The fingerprint computed from nothing; equal to the incremental one (a test holds it so).</summary>
    public (ulong Low, ulong High) FingerprintFromScratch()
    {
        ulong low = 0;
        ulong high = 0;
        for (int i = 0; i < _words.Length; i++)
        {
            low ^= Hash128.Mix(_words[i] + _keyLow[i]);
            high ^= Hash128.Mix((_words[i] * 0x9fb21c651e98df25) ^ _keyHigh[i]);
        }

        foreach (LocalState local in _locals)
        {
            low ^= local.HashLow;
            high ^= local.HashHigh;
        }

        return (low, high);
    }

    private bool IsInterrupted(Agent agent)
        => agent.Kind == AgentKind.Task && (agent.Cpu ?? PlaceOf(agent)) is { } cpu && _words[cpu.InInterruptAddress] != 0;

    /// <summary>The CPU that a movable task runs on now.</summary>
    private Cpu? PlaceOf(Agent agent)
        => agent.IsMovable && _words[agent.PlaceAddress] is not 0 and var place ? Machine.Cpus[(int)place - 1] : null;

    private void RecomputeHash() => (_hashLow, _hashHigh) = FingerprintFromScratch();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Rehash(int address, ulong old, ulong value)
    {
        ulong keyLow = _keyLow[address];
        ulong keyHigh = _keyHigh[address];
        _hashLow ^= Hash128.Mix(old + keyLow) ^ Hash128.Mix(value + keyLow);
        _hashHigh ^= Hash128.Mix((old * 0x9fb21c651e98df25) ^ keyHigh) ^ Hash128.Mix((value * 0x9fb21c651e98df25) ^ keyHigh);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void MoveLocal(int agent, LocalState from, LocalState to)
    {
        _hashLow ^= from.HashLow ^ to.HashLow;
        _hashHigh ^= from.HashHigh ^ to.HashHigh;
        _locals[agent] = to;
    }

    private void WriteChanged(int address, ulong old, ulong value)
    {
        if (_undoCount == _undoAddress.Length)
        {
            Array.Resize(ref _undoAddress, _undoCount * 2);
            Array.Resize(ref _undoValue, _undoCount * 2);
        }

        _undoAddress[_undoCount] = address;
        _undoValue[_undoCount++] = old;
        Rehash(address, old, value);
        _words[address] = value;
    }
}
