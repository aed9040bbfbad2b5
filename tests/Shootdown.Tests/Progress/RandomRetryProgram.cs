using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Progress;

/// <summary>What one instruction of a program that retries does.</summary>
internal enum RetryAct
{
    Load, Store, WaitFor, LoadUntil, LockedLoadUntil, TryLockUntil, LockedStore, Call, MaskedLoadUntil,
}

/// <summary>Two or three small programs, made from a seed, that wait for each other in loops; the last may be a daemon that never ends.</summary>
internal sealed class RandomRetryProgram
{
    private readonly ImmutableArray<ImmutableArray<(RetryAct Act, int Word, int Value)>> _code;
    private const int ActsWithoutCalls = 7;
    private readonly bool _hasDaemon;

    /// <summary>Makes the programs.</summary>
    /// <param name="seed">What they are made from.</param>
    /// <param name="calls">True if they interrupt each other, and retry with interrupts off now and then.</param>
    internal RandomRetryProgram(int seed, bool calls = false)
    {
        var random = new Random(seed);
        int programs = random.Next(2, 4);
        _hasDaemon = random.Next(3) == 0;
        int acts = calls ? (int)RetryAct.MaskedLoadUntil + 1 : ActsWithoutCalls;
        _code = [.. Enumerable.Range(0, programs).Select(_ => Make(random, programs == 2 ? 3 : 2, acts))];
        Seed = seed;
    }

    internal int Seed { get; }

    public override string ToString() => $"seed {Seed}{(_hasDaemon ? ", daemon" : string.Empty)}:\n"
        + string.Join('\n', _code.Select((code, i) => $"  program{i}: {string.Join("; ", code.Select(at => $"{at.Act} {at.Word} {at.Value}"))}"));

    internal CheckModel Build(MemoryModelKind model)
    {
        var machine = new MachineModel(new MachineOptions { Cpus = _code.Length, Model = model, StoreBufferDepth = 1 });
        var world = new World(machine);
        if (_code.Any(code => code.Any(at => at.Act == RetryAct.Call)))
        {
            world.RegisterCalls();
        }

        for (int i = 0; i < _code.Length; i++)
        {
            Cpu cpu = machine.Cpus[i];
            ImmutableArray<(RetryAct Act, int Word, int Value)> code = _code[i];
            bool isDaemon = _hasDaemon && i == _code.Length - 1;
            machine.AddAgent($"p{i}", AgentKind.Task, cpu, isDaemon, () => Run(world, cpu, code, isDaemon));
        }

        return new CheckModel(machine, [new PProgress()]);
    }

    private static ImmutableArray<(RetryAct Act, int Word, int Value)> Make(Random random, int lengthMax, int acts)
        => [.. Enumerable.Range(0, random.Next(1, lengthMax + 1)).Select(_ => (
            random.Next(3) == 0 ? RetryAct.Store : (RetryAct)random.Next(acts), random.Next(2), random.Next(2)))];

    private static async Proc Run(World world, Cpu cpu, ImmutableArray<(RetryAct Act, int Word, int Value)> code, bool forEver)
    {
        do
        {
            for (int pc = 0; pc < code.Length; pc++)
            {
                await Step(world, cpu, code[pc].Act, world.Words[code[pc].Word], (ulong)code[pc].Value);
            }
        }
        while (forEver);
    }

    private static async Proc Step(World world, Cpu cpu, RetryAct act, Word word, ulong value)
    {
        switch (act)
        {
            case RetryAct.Load:
                await cpu.Load(word);
                break;
            case RetryAct.Store:
                await cpu.Store(word, value);
                break;
            case RetryAct.WaitFor:
                await cpu.WaitUntil(word, Condition.Equal, value);
                break;
            case RetryAct.LoadUntil:
                while (await cpu.Load(word) != value)
                {
                }

                break;
            case RetryAct.LockedLoadUntil:
                while (await LoadLocked(world, cpu, word) != value)
                {
                }

                break;
            case RetryAct.TryLockUntil:
                while (await cpu.SpinTrylock(world.Lock) != 0)
                {
                }

                await cpu.Store(word, value);
                await cpu.SpinUnlock(world.Lock);
                break;
            case RetryAct.Call:
                await cpu.SendIpi(world.Others(cpu), world.Function);
                await cpu.AwaitIpiAcknowledgements();
                break;
            case RetryAct.MaskedLoadUntil:
                while (await LoadMasked(cpu, word) != value)
                {
                }

                break;
            default:
                await cpu.SpinLock(world.Lock);
                await cpu.Store(word, value);
                await cpu.SpinUnlock(world.Lock);
                break;
        }
    }

    private static async Proc<ulong> LoadLocked(World world, Cpu cpu, Word word)
    {
        await cpu.SpinLock(world.Lock);
        ulong seen = await cpu.Load(word);
        await cpu.SpinUnlock(world.Lock);
        return seen;
    }

    private static async Proc<ulong> LoadMasked(Cpu cpu, Word word)
    {
        await cpu.InterruptsOff();
        ulong seen = await cpu.Load(word);
        await cpu.InterruptsOn();
        return seen;
    }

    private static async Proc Answer(Cpu cpu, Word word) => await cpu.Load(word);

    private sealed class World(MachineModel machine) : MachineHandle(machine)
    {
        internal ImmutableArray<Word> Words { get; } = [machine.NewWord("x"), machine.NewWord("y")];

        internal Spinlock Lock { get; } = machine.NewSpinLock("lock");

        /// <summary>What a cross-call runs; registered by <see cref="RegisterCalls"/>.</summary>
        internal int Function { get; private set; } = -1;

        internal void RegisterCalls() => Function = Machine.Interrupts.RegisterFunction("answer", (cpu, _) => Answer(cpu, Words[0]));

        internal CpuSet Others(Cpu cpu) => ((1UL << Machine.Cpus.Count) - 1) & ~cpu.Bit;
    }
}
