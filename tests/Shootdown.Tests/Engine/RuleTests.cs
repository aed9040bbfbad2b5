using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>Programs that break a rule, or never end, get a clear answer and never a wrong verdict.</summary>
public sealed class RuleTests
{
    private static int _counter;

    [Fact]
    public void State_in_a_list_is_refused_by_name()
    {
        CheckReport report = Check(KeepsAList);
        Assert.Equal(Verdict.Unsupported, report.Verdict);
        Assert.Contains("keeps state outside the machine", report.Reason, StringComparison.Ordinal);
        Assert.Contains("KeepsAList", report.Reason, StringComparison.Ordinal);
    }

    /// <summary>The analyzer reports both too; see its SharedLocalTests.</summary>
    [Fact]
    public void Of_the_immutable_collections_only_the_array_is_accepted_and_only_by_index()
    {
        Assert.Equal(Verdict.Pass, Check(LoopsByIndex).Verdict);
        CheckReport enumerated = Check(LoopsWithForeach);
        Assert.Equal(Verdict.Unsupported, enumerated.Verdict);
        Assert.Contains("loop over an index with for", enumerated.Reason, StringComparison.Ordinal);
        CheckReport list = Check(KeepsAnImmutableList);
        Assert.Equal(Verdict.Unsupported, list.Verdict);
        Assert.Contains("'list' in KeepsAnImmutableList", list.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hidden_static_counter_is_found()
    {
        CheckReport report = Check(CountsRuns);
        Assert.Equal(Verdict.Unsupported, report.Verdict);
        Assert.Contains("not deterministic", report.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_throwing_program_is_named()
    {
        CheckReport report = Check(Throws);
        Assert.Equal(Verdict.Unsupported, report.Verdict);
        Assert.Contains("InvalidOperationException", report.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Awaiting_a_task_is_refused()
    {
        CheckReport report = Check(AwaitsATask);
        Assert.Equal(Verdict.Unsupported, report.Verdict);
        Assert.Contains("only machine operations", report.Reason, StringComparison.Ordinal);
    }

    /// <summary>A counter that grows for ever has no end of states: the memory bound gives inconclusive.</summary>
    [Fact]
    public void Endless_programs_end_inconclusive_at_the_memory_bound()
    {
        CheckReport report = Check(CountsForEver, new CheckOptions { Workers = 1, MemoryBytes = 4 << 20 });
        Assert.Equal(Verdict.Inconclusive, report.Verdict);
        Assert.Contains("memory bound", report.Reason, StringComparison.Ordinal);
        Assert.True(report.Stats.States > 1000);
        Assert.False(report.Stats.Exhaustive);
    }

    [Fact]
    public void Endless_programs_end_inconclusive_at_the_time_bound()
    {
        CheckReport report = Check(CountsForEver, new CheckOptions { Workers = 1, Time = TimeSpan.FromMilliseconds(100) });
        Assert.Equal(Verdict.Inconclusive, report.Verdict);
        Assert.Contains("time bound", report.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_loop_of_local_steps_never_reaches_the_machine_and_is_refused()
    {
        CheckReport report = Check(SpinsLocally);
        Assert.Equal(Verdict.Unsupported, report.Verdict);
        Assert.Contains("never ends", report.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_property_that_judged_nothing_is_inconclusive()
    {
        CheckReport report = Check(DoesNothing);
        Assert.Equal(Verdict.Inconclusive, report.Verdict);
        Assert.Contains("never had anything to judge", report.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("9", "numbers up to")]
    [InlineData("0x", "not a part of a schedule")]
    [InlineData("0x9", "cannot move there")]
    [InlineData("0:7", "1 way(s) there")]
    public void Schedules_that_do_not_fit_are_refused(string schedule, string message)
    {
        ScheduleException refused = Assert.Throws<ScheduleException>(
            () => Check(DoesNothing, new CheckOptions { Workers = 1, Schedule = schedule }));
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
    }

    private static CheckReport Check(Func<Cpu, Word, Proc> program, CheckOptions? options = null) => Checker.Check(
        new CheckSubject("test", string.Empty, "test", "fix", null, []),
        () =>
        {
            var machine = new MachineModel(new MachineOptions { Cpus = 1, Levels = 1, EntriesPerTable = 1, Frames = 0, WalkCaches = false });
            Word word = machine.NewWord("word");
            machine.AddTask(machine.Cpus[0], "program", () => program(machine.Cpus[0], word));
            return new CheckModel(machine, [new Assertions()]);
        },
        options ?? new CheckOptions { Workers = 1 });

#pragma warning disable SHOOT001, SHOOT002, SHOOT005, SHOOT007 // These programs break the rules on purpose: the run-time check must see it too.
    private static async Proc KeepsAList(Cpu cpu, Word word)
    {
        var list = new List<int> { 1 };
        await cpu.Store(word, 1);
        list.Add(2);
        await cpu.Store(word, (ulong)list.Count);
    }

    private static async Proc LoopsWithForeach(Cpu cpu, Word word)
    {
        ImmutableArray<ulong> items = [1, 2];
        foreach (ulong item in items)
        {
            await cpu.Store(word, item);
        }
    }

    private static async Proc KeepsAnImmutableList(Cpu cpu, Word word)
    {
        ImmutableList<ulong> list = [1, 2];
        await cpu.Store(word, 1);
        await cpu.Store(word, (ulong)list.Count);
    }

    private static async Proc CountsRuns(Cpu cpu, Word word)
    {
        await cpu.Store(word, 1);
        await cpu.Store(word, (ulong)++_counter);
    }

    private static async Proc AwaitsATask(Cpu cpu, Word word)
    {
        await cpu.Store(word, 1);
        await new TaskCompletionSource().Task;
    }
#pragma warning restore SHOOT001, SHOOT002, SHOOT005, SHOOT007

    private static async Proc LoopsByIndex(Cpu cpu, Word word)
    {
        ImmutableArray<ulong> items = [1, 2];
        for (int i = 0; i < items.Length; i++)
        {
            await cpu.Store(word, items[i]);
        }

        await cpu.Assert(items.Length == 2, "both were stored");
    }

    private static async Proc Throws(Cpu cpu, Word word)
    {
        await cpu.Store(word, 1);
        throw new InvalidOperationException("on purpose");
    }

    private static async Proc CountsForEver(Cpu cpu, Word word)
    {
        while (true)
        {
            await cpu.AddReturn(word, 1);
        }
    }

    private static async Proc SpinsLocally(Cpu cpu, Word word)
    {
        await cpu.Store(word, 1);
        while (true)
        {
            await cpu.PreemptDisable();
            await cpu.PreemptEnable();
        }
    }

    private static async Proc DoesNothing(Cpu cpu, Word word) => await cpu.Store(word, 1);
}
