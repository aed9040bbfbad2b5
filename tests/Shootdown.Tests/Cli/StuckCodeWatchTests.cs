using System.Collections.Concurrent;
using Shootdown.Check;
using Shootdown.Cli;
using Shootdown.Machine;

namespace Shootdown.Tests.Cli;

/// <summary>Kernel code that loops without asking the machine is named; code that asks is not, however long the run takes.</summary>
public sealed class StuckCodeWatchTests
{
    private static volatile bool _isNoticed;

    [Fact]
    public void A_loop_without_an_operation_is_named_and_one_with_operations_is_not()
    {
        var named = new ConcurrentQueue<string>();
        using var watch = new StuckCodeWatch(TimeSpan.FromSeconds(1.5), method =>
        {
            named.Enqueue(method);
            _isNoticed = true;
        });
        Run(CountsForEver);
        Assert.DoesNotContain(named, method => method.EndsWith(nameof(CountsForEver), StringComparison.Ordinal));
        Run(NeverAsks);
        Assert.Contains($"{nameof(StuckCodeWatchTests)}.{nameof(NeverAsks)}", named);
    }

    private static void Run(Func<Cpu, Word, Proc> program) => Checker.Check(
        new CheckSubject("test", string.Empty, "test", "fix", null, []),
        () =>
        {
            var machine = new MachineModel(new MachineOptions { Cpus = 1, Levels = 1, EntriesPerTable = 1, Frames = 0, WalkCaches = false });
            Word word = machine.NewWord("word");
            machine.AddTask(machine.Cpus[0], "program", () => program(machine.Cpus[0], word));
            return new CheckModel(machine, [new Assertions()]);
        },
        new CheckOptions { Workers = 1, Time = TimeSpan.FromSeconds(3) });

    private static async Proc CountsForEver(Cpu cpu, Word word)
    {
        while (true)
        {
            await cpu.AddReturn(word, 1);
        }
    }

#pragma warning disable SHOOT002, SHOOT003 // It loops on purpose, until this test ends it.
    private static async Proc NeverAsks(Cpu cpu, Word word)
    {
        await cpu.Store(word, 1);
        while (!_isNoticed)
        {
        }
    }
#pragma warning restore SHOOT002, SHOOT003
}
