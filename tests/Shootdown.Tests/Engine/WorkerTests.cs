using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>Several workers find what one finds, also while all of them learn what a program does after each result.</summary>
public sealed class WorkerTests
{
    private const int Rounds = 20;
    private const ulong Additions = 250;

    /// <summary>
    /// Two agents load a word that takes 251 values, so that what follows a load grows while other workers read it. A reader that saw one
    /// half of it new and the other one old ended the process, seldom.
    /// </summary>
    [Fact]
    public void Workers_may_learn_at_the_same_time()
    {
        long expected = Check(1).Stats.States;
        for (int round = 0; round < Rounds; round++)
        {
            CheckReport report = Check(4);
            Assert.Equal(Verdict.Pass, report.Verdict);
            Assert.Equal(expected, report.Stats.States);
        }
    }

    [Fact]
    public void A_worker_that_fails_ends_the_search_with_its_error()
    {
        var failure = new InvalidTimeZoneException("on purpose");
        Assert.Same(failure, Assert.Throws<InvalidTimeZoneException>(() => Check(4, failure)));
    }

    private static CheckReport Check(int workers, Exception? failure = null) => Checker.Check(
        new CheckSubject("test", string.Empty, "test", "fix", null, []),
        () =>
        {
            var machine = new MachineModel(new MachineOptions { Cpus = 3, Levels = 1, EntriesPerTable = 1, Frames = 0, WalkCaches = false });
            Word word = machine.NewWord("word");
            Word loads = machine.NewWord("loads");
            machine.AddTask(machine.Cpus[0], "adds", () => Adds(machine.Cpus[0], word));
            machine.AddTask(machine.Cpus[1], "loads", () => Loads(machine.Cpus[1], word, loads));
            machine.AddTask(machine.Cpus[2], "loads", () => Loads(machine.Cpus[2], word, loads));
            machine.LocalStates.EdgeDiscovered = failure is null ? null : (_, result, _) => ThrowAt(result, failure);
            return new CheckModel(machine, [new Assertions()]);
        },
        new CheckOptions { Workers = workers, Reduction = false });

    private static void ThrowAt(long result, Exception failure)
    {
        if (result == (long)Additions)
        {
            throw failure;
        }
    }

    private static async Proc Adds(Cpu cpu, Word word)
    {
        for (ulong i = 0; i < Additions; i++)
        {
            await cpu.AddReturn(word, 1);
        }

        await cpu.Assert(true, "all were added");
    }

    private static async Proc Loads(Cpu cpu, Word word, Word loads)
    {
        for (int i = 0; i < 2; i++)
        {
            await cpu.Load(word);
            await cpu.AddReturn(loads, 1);
        }
    }
}
