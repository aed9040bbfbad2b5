using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Progress;

/// <summary>P-progress on programs so small that it is clear what fairness makes of them.</summary>
public sealed class ProgressTests
{
    /// <summary>Nobody ever sets the flag: one state, one step, for ever.</summary>
    [Fact]
    public void A_retry_that_nobody_ends_is_a_livelock()
    {
        CheckReport report = Check(MemoryModelKind.Sc, (machine, flag, _) =>
            machine.AddTask(machine.Cpus[0], "reader", () => LoadUntilSet(machine.Cpus[0], flag)));
        Counterexample run = report.Counterexample!;
        Assert.Equal((Verdict.Violation, PProgress.Name, 0), (report.Verdict, run.PropertyId, run.CycleStart));
        Assert.Equal("/0", run.Schedule);
        Assert.Equal(
            "This can go on for ever, with a turn for everybody who can move: CPU0 (reader) never returns from load_until_set().",
            run.Sentence);
    }

    /// <summary>A store, and the store buffer that it may wait in, come at last.</summary>
    [Theory]
    [InlineData(MemoryModelKind.Sc)]
    [InlineData(MemoryModelKind.X86Tso)]
    public void A_retry_ends_when_another_program_gets_its_turn(MemoryModelKind model) => Assert.Equal(Verdict.Pass, Check(model, (machine, flag, _) =>
    {
        machine.AddTask(machine.Cpus[0], "reader", () => LoadUntilSet(machine.Cpus[0], flag));
        machine.AddTask(machine.Cpus[1], "writer", () => Set(machine.Cpus[1], flag));
    }).Verdict);

    /// <summary>Who waits for a lock in the queue gets it, though the other takes it again and again; who only tries may never.</summary>
    [Theory]
    [InlineData(false, Verdict.Pass)]
    [InlineData(true, Verdict.Violation)]
    public void A_queued_lock_is_fair_and_a_tried_one_is_not(bool tries, Verdict expected)
        => Assert.Equal(expected, Check(MemoryModelKind.Sc, (machine, flag, spinlock) =>
        {
            machine.AddTask(machine.Cpus[0], "reader", () => LockUntilSet(machine.Cpus[0], spinlock, flag));
            machine.AddTask(machine.Cpus[1], "writer", () => LockAndSet(machine.Cpus[1], spinlock, flag, tries));
        }).Verdict);

    /// <summary>A waiter looks now and then: it may miss a word that comes and goes. A word that stays is seen.</summary>
    [Theory]
    [InlineData(true, Verdict.Violation)]
    [InlineData(false, Verdict.Pass)]
    public void A_waiter_may_miss_what_comes_and_goes(bool toggles, Verdict expected)
        => Assert.Equal(expected, Check(MemoryModelKind.Sc, (machine, flag, _) =>
        {
            machine.AddTask(machine.Cpus[0], "waiter", () => Wait(machine.Cpus[0], flag));
            machine.AddAgent("daemon", AgentKind.Task, machine.Cpus[1], true, () => Toggle(machine.Cpus[1], flag, toggles));
        }).Verdict);

    /// <summary>Who has interrupts on now and then is interrupted at last; who never has is not.</summary>
    [Theory]
    [InlineData(false, Verdict.Pass)]
    [InlineData(true, Verdict.Violation)]
    public void A_pending_interrupt_is_taken_where_interrupts_are_on_again_and_again(bool staysOff, Verdict expected)
        => Assert.Equal(expected, Check(MemoryModelKind.Sc, (machine, flag, _) =>
        {
            int function = machine.Interrupts.RegisterFunction("answer", static (cpu, _) => Answer(cpu));
            machine.AddTask(machine.Cpus[0], "reader", () => LoadUntilSetMasked(machine.Cpus[0], flag, staysOff));
            machine.AddTask(machine.Cpus[1], "caller", () => CallAndSet(machine.Cpus[1], flag, function));
        }).Verdict);

    /// <summary>That an interrupt is taken does not favour its handler: what comes and goes it may miss as anybody may.</summary>
    [Theory]
    [InlineData(true, Verdict.Violation)]
    [InlineData(false, Verdict.Pass)]
    public void A_handler_may_miss_what_comes_and_goes(bool toggles, Verdict expected)
        => Assert.Equal(expected, Check(MemoryModelKind.Sc, (machine, flag, _) =>
        {
            int function = machine.Interrupts.RegisterFunction("wait", (cpu, _) => Wait(cpu, flag));
            machine.AddTask(machine.Cpus[0], "caller", () => CallAndSet(machine.Cpus[0], flag, function));
            machine.AddAgent("daemon", AgentKind.Task, machine.Cpus[2], true, () => Toggle(machine.Cpus[2], flag, toggles));
        }).Verdict);

    [Fact]
    public void A_schedule_that_does_not_lead_back_is_refused_and_an_unfair_one_shows_nothing()
    {
        void Build(MachineModel machine, Word flag, Spinlock spinlock)
        {
            _ = spinlock;
            machine.AddTask(machine.Cpus[0], "reader", () => LoadUntilSet(machine.Cpus[0], flag));
            machine.AddTask(machine.Cpus[1], "writer", () => Set(machine.Cpus[1], flag));
        }

        Assert.Equal(Verdict.Inconclusive, Check(MemoryModelKind.Sc, Build, new CheckOptions { Schedule = "/0" }).Verdict);
        ScheduleException refused = Assert.Throws<ScheduleException>(() => Check(MemoryModelKind.Sc, Build, new CheckOptions { Schedule = "0/1" }));
        Assert.Contains("do not lead back", refused.Message, StringComparison.Ordinal);
        ScheduleException empty = Assert.Throws<ScheduleException>(() => Check(MemoryModelKind.Sc, Build, new CheckOptions { Schedule = "0/" }));
        Assert.Contains("the steps that repeat for ever", empty.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bound_that_is_reached_gives_no_verdict()
    {
        CheckReport report = Check(
            MemoryModelKind.Sc,
            (machine, flag, _) => machine.AddTask(machine.Cpus[0], "reader", () => LoadUntilSet(machine.Cpus[0], flag)),
            new CheckOptions { Workers = 1, MemoryBytes = 100 });
        Assert.Equal(Verdict.Inconclusive, report.Verdict);
        Assert.Contains("memory bound", report.Reason, StringComparison.Ordinal);
    }

    /// <summary>Random programs that retry: the components agree with a search that follows every agent's due from every state.</summary>
    [Theory]
    [InlineData(MemoryModelKind.Sc, 400, false)]
    [InlineData(MemoryModelKind.X86Tso, 100, false)]
    [InlineData(MemoryModelKind.Sc, 400, true)]
    public void Components_agree_with_the_naive_search(MemoryModelKind model, int programs, bool calls)
    {
        int compared = 0;
        int livelocks = 0;
        int retries = 0;
        for (int seed = 0; seed < programs; seed++)
        {
            var program = new RandomRetryProgram(seed, calls);
            var naive = NaiveProgress.Of(program.Build(model));
            if (naive is null)
            {
                continue;
            }

            CheckModel checkedModel = program.Build(model);
            ExplorationResult found = ProgressSearch.Explore(checkedModel, new CheckOptions(), () => 0);
            Assert.True(naive.HasLivelock == found.Violation is not null, $"naive: {naive.HasLivelock}, found: {found.Violation?.Sentence}\n{program}");
            Assert.Equal(naive.States, found.States);
            if (found.Violation is not null)
            {
                (IReadOnlyList<Step> steps, int? start) = Schedule.ParseRun(Schedule.Format(found.Path, found.CycleStart), checkedModel.Machine);
                Assert.Equal(found.Violation, Replayer.Run(program.Build(model), steps, start));
            }

            compared++;
            livelocks += naive.HasLivelock ? 1 : 0;
            retries += !naive.HasLivelock && naive.HasCycle ? 1 : 0;
        }

        Assert.True(compared > programs * 3 / 4, $"only {compared} of {programs} were small enough");
        Assert.True(livelocks > programs / 10 && retries > programs / 20, $"{livelocks} livelocks, {retries} fair retries of {programs}: no teeth");
    }

    private static CheckReport Check(MemoryModelKind model, Action<MachineModel, Word, Spinlock> build, CheckOptions? options = null)
        => Checker.Check(new CheckSubject("test", string.Empty, "test", "fix", null, []), () =>
        {
            var machine = new MachineModel(new MachineOptions { Cpus = 3, Model = model });
            build(machine, machine.NewWord("flag"), machine.NewSpinLock("lock"));
            return new CheckModel(machine, [new PProgress()]);
        }, options ?? new CheckOptions { Workers = 1 });

    private static async Proc LoadUntilSet(Cpu cpu, Word flag)
    {
        while (await cpu.Load(flag) == 0)
        {
        }
    }

    private static async Proc LoadUntilSetMasked(Cpu cpu, Word flag, bool staysOff)
    {
        ulong seen;
        do
        {
            await cpu.InterruptsOff();
            seen = await cpu.Load(flag);
            if (!staysOff)
            {
                await cpu.InterruptsOn();
            }
        }
        while (seen == 0);
    }

    private static async Proc Answer(Cpu cpu) => await cpu.FullBarrier();

    private static async Proc CallAndSet(Cpu cpu, Word flag, int function)
    {
        await cpu.SendIpi(3 & ~cpu.Bit, function);
        await cpu.AwaitIpiAcknowledgements();
        await cpu.Store(flag, 1);
    }

    private static async Proc Set(Cpu cpu, Word flag) => await cpu.Store(flag, 1);

    private static async Proc LockUntilSet(Cpu cpu, Spinlock spinlock, Word flag)
    {
        ulong seen;
        do
        {
            await cpu.SpinLock(spinlock);
            seen = await cpu.Load(flag);
            await cpu.SpinUnlock(spinlock);
        }
        while (seen == 0);
    }

    private static async Proc LockAndSet(Cpu cpu, Spinlock spinlock, Word flag, bool tries)
    {
        if (!tries)
        {
            await cpu.SpinLock(spinlock);
        }
        else
        {
            while (await cpu.SpinTrylock(spinlock) != 0)
            {
            }
        }

        await cpu.Store(flag, 1);
        await cpu.SpinUnlock(spinlock);
    }

    private static async Proc Wait(Cpu cpu, Word flag) => await cpu.WaitUntil(flag, Condition.Equal, 1);

    private static async Proc Toggle(Cpu cpu, Word flag, bool toggles)
    {
        while (true)
        {
            await cpu.Store(flag, 1);
            await cpu.Store(flag, toggles ? 0UL : 1);
        }
    }
}
