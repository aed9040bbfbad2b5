using System.Runtime.InteropServices;

namespace Shootdown.Machine;

/// <summary>All local states of a machine's agents. Thread-safe: discoveries are serialised by one lock.</summary>
public sealed class LocalStates
{
    private readonly Lock _gate = new();
    private readonly Dictionary<Key, LocalState> _known = [];
    private readonly List<LocalState> _byId = [];

    /// <summary>Called under the lock for every newly discovered edge of an agent's program.</summary>
    public Action<LocalState, long, LocalState>? EdgeDiscovered { get; set; }

    /// <summary>Number of local states found so far.</summary>
    public int Count => _byId.Count;

    /// <summary>Number of edges found so far.</summary>
    public int EdgeCount { get; private set; }

    /// <summary>A local state by number.</summary>
    public LocalState this[int id] => _byId[id];

    /// <summary>
    /// Runs every known edge again and compares: finds kernel code whose hidden state changed since its first run.
    /// </summary>
    /// <exception cref="ProcRuleException">Kernel code did something else than the first time.</exception>
    public void VerifyAll()
    {
        lock (_gate)
        {
            foreach (LocalState from in _byId)
            {
                foreach ((long result, LocalState next) in from.Successors)
                {
                    (ProcStack? stack, Operation? operation) = Trampoline.Current.Resume(from.Stack!, result);
                    if (!KeyOf(from.Agent, stack, operation).Equals(KeyOf(next.Agent, next.Stack, next.Operation)))
                    {
                        throw Nondeterministic(from, "a later run");
                    }
                }
            }
        }
    }

    internal LocalState Start(Agent agent, ProcFrame frame)
    {
        lock (_gate)
        {
            (ProcStack? stack, Operation? operation) = Trampoline.Current.Start(frame);
            agent.InitialCallNames = [.. Trampoline.Current.Calls];
            return Intern(agent, stack, operation);
        }
    }

    internal LocalState Discover(LocalState from, long result)
    {
        lock (_gate)
        {
            foreach ((long known, LocalState there) in from.Successors)
            {
                if (known == result)
                {
                    return there;
                }
            }

            (ProcStack? stack, Operation? operation) = Resume(from, result);
            int[]? calls = from.Agent.Machine.Costs?.CountersOf(Trampoline.Current.Calls);
            (ProcStack? again, Operation? operationAgain) = Resume(from, result);
            if (!KeyOf(from.Agent, stack, operation).Equals(KeyOf(from.Agent, again, operationAgain)))
            {
                throw Nondeterministic(from, "a second run");
            }

            LocalState next = Intern(from.Agent, stack, operation);
            EdgeCount++;
            EdgeDiscovered?.Invoke(from, result, next);
            from.AddSuccessor(result, next, calls);
            return next;
        }
    }

    private static ProcRuleException Nondeterministic(LocalState from, string which) => new(
        $"kernel code is not deterministic: {(from.CallStack() is [.., string last] ? last : "the program")} of {from.Agent.Name}, "
        + $"after {from.Operation!.Text}, did something else in {which} with the same locals and result; "
        + "it reads a clock, a random number or mutable state outside the machine");

    private static Key KeyOf(Agent agent, ProcStack? stack, Operation? operation)
    {
        var words = new List<long>(32) { agent.Index };
        for (ProcStack? node = stack; node is not null; node = node.Caller)
        {
            words.AddRange(node.Encoding);
        }

        if (operation is not null)
        {
            words.AddRange(FrameCodec.Encode(operation));
        }

        return new Key([.. words]);
    }

    private LocalState Intern(Agent agent, ProcStack? stack, Operation? operation)
    {
        Key key = KeyOf(agent, stack, operation);
        ref LocalState? slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_known, key, out bool exists);
        if (!exists)
        {
            slot = new LocalState(agent, _byId.Count, key.Hash, stack, operation);
            _byId.Add(slot);
        }

        return slot!;
    }

    private readonly struct Key : IEquatable<Key>
    {
        private readonly long[] _words;

        internal Key(long[] words)
        {
            _words = words;
            Hash = Hash128.OfWords(words, 0x5d07);
        }

        internal Hash128 Hash { get; }

        public bool Equals(Key other) => _words.AsSpan().SequenceEqual(other._words);

        public override bool Equals(object? obj) => obj is Key other && Equals(other);

        public override int GetHashCode() => (int)Hash.Low;
    }

    /// <summary>What kernel code throws is an error of the program that is checked, not of the checker.</summary>
    private static (ProcStack? Stack, Operation? Operation) Resume(LocalState from, long result)
    {
        try
        {
            return Trampoline.Current.Resume(from.Stack!, result);
        }
        catch (Exception exception) when (exception is not (ProcRuleException or BoundExceededException))
        {
            throw new ProcRuleException(
                $"{from.Agent}: the program threw {exception.GetType().Name} after {from.Operation?.Text}: {exception.Message}", exception);
        }
    }
}
