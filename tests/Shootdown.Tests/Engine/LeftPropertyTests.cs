using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>P-left by hand: a program ends and leaves one thing behind, or gives it back, or never ends.</summary>
public sealed class LeftPropertyTests
{
    /// <summary>What is left behind, and the end of the sentence that says so.</summary>
    public static TheoryData<string, string> Things => new()
    {
        { "spinlock", "CPU0 has not released lock." },
        { "mutex", "CPU0 has not released mutex." },
        { "read semaphore", "semaphore is still held for reading." },
        { "write semaphore", "semaphore is still held for writing." },
        { "srcu", "a read section of srcu is still open." },
        { "rcu", "CPU0 has not left its RCU read section." },
        { "interrupts", "CPU0 has interrupts off." },
        { "preemption", "CPU0 has a preempt_count of 1." },
        { "word", "counter is 1: something is under way." },
        { "reference", "page0._refcount is 2, with 1 users: the page is never freed." },
        { "frame", "page1._refcount is 1, with 0 users: the page is never freed." },
        { "table", "page table 1 is in nobody's page tables: it is never freed." },
    };

    [Theory]
    [MemberData(nameof(Things))]
    public void What_is_left_behind_is_found(string thing, string sentence)
    {
        CheckReport report = Check(thing, givesBack: false, waits: false);
        Assert.Equal((Verdict.Violation, "P-left"), (report.Verdict, report.Counterexample?.PropertyId));
        Assert.Equal($"All programs have ended, and {sentence}", report.Counterexample!.Sentence);
    }

    [Theory]
    [MemberData(nameof(Things))]
    public void What_is_given_back_is_not(string thing, string sentence)
    {
        Assert.NotEmpty(sentence);
        Assert.Equal(Verdict.Pass, Check(thing, givesBack: true, waits: false).Verdict);
    }

    [Fact]
    public void Where_a_program_waits_for_ever_nothing_is_judged()
    {
        CheckReport report = Check("spinlock", givesBack: false, waits: true);
        Assert.Equal(Verdict.Inconclusive, report.Verdict);
        Assert.StartsWith("P-left never had anything to judge", report.Reason, StringComparison.Ordinal);
    }

    private static CheckReport Check(string thing, bool givesBack, bool waits) => Checker.Check(
        new CheckSubject("left", string.Empty, string.Empty, "fix", null, []), () => Build(thing, givesBack, waits), new CheckOptions { Workers = 1 });

    private static CheckModel Build(string thing, bool givesBack, bool waits)
    {
        var options = new MachineOptions { Cpus = 2, EntriesPerTable = 1, Frames = 2, Tables = 2, GracePeriods = true };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true);
        var things = new Left(
            stage.Machine.NewSpinLock("lock"), stage.Machine.NewMutex("mutex"), stage.Machine.NewRwSemaphore("semaphore"),
            stage.Machine.NewSrcu("srcu"), stage.Machine.NewWord("counter"));
        stage.AddThread(0, "program", () => Leave(stage.Kernel, stage.Cpu(0), things, thing, givesBack));
        if (waits)
        {
            Cpu cpu = stage.Cpu(1);
            stage.Kernel.BuildRunning(cpu, stage.Mm);
            stage.Machine.AddAgent("waiter", AgentKind.Task, cpu, true, () => WaitForEver(cpu, things.Counter));
        }

        return new CheckModel(
            stage.Machine,
            [new PLeft([], (_, _) => true, (_, _) => false) { AtRest = [new RestingWord(things.Counter, value => value == 0, "something is under way")] }],
            ["P-left"]);
    }

    private static async Proc WaitForEver(Cpu cpu, Word word) => await cpu.WaitEvent(word, Condition.Equal, 7);

    private static async Proc Leave(KernelModel kernel, Cpu cpu, Left things, string thing, bool givesBack)
    {
        int taken = await Take(kernel, cpu, things, thing);
        if (givesBack)
        {
            await GiveBack(cpu, things, thing, taken);
        }
    }

    private static async Proc<int> Take(KernelModel kernel, Cpu cpu, Left things, string thing)
    {
        switch (thing)
        {
            case "spinlock":
                await cpu.SpinLock(things.Lock);
                return 0;
            case "mutex":
                await cpu.MutexLock(things.Mutex);
                return 0;
            case "read semaphore":
                await cpu.DownRead(things.Semaphore);
                return 0;
            case "write semaphore":
                await cpu.DownWrite(things.Semaphore);
                return 0;
            case "srcu":
                return await cpu.SrcuReadLock(things.Srcu);
            case "rcu":
                await cpu.RcuReadLock();
                return 0;
            case "interrupts":
                await cpu.InterruptsOff();
                return 0;
            case "preemption":
                await cpu.PreemptDisable();
                return 0;
            case "word":
                await cpu.Store(things.Counter, 1);
                return 0;
            case "reference":
                return await cpu.FrameTryGet(0);
            case "frame":
                return await cpu.AllocFrame(0);
            default:
                return await cpu.AllocTable(kernel.Mms[0].Space, 0, 0);
        }
    }

    private static async Proc GiveBack(Cpu cpu, Left things, string thing, int taken)
    {
        switch (thing)
        {
            case "spinlock":
                await cpu.SpinUnlock(things.Lock);
                break;
            case "mutex":
                await cpu.MutexUnlock(things.Mutex);
                break;
            case "read semaphore":
                await cpu.UpRead(things.Semaphore);
                break;
            case "write semaphore":
                await cpu.UpWrite(things.Semaphore);
                break;
            case "srcu":
                await cpu.SrcuReadUnlock(things.Srcu, taken);
                break;
            case "rcu":
                await cpu.RcuReadUnlock();
                break;
            case "interrupts":
                await cpu.InterruptsOn();
                break;
            case "preemption":
                await cpu.PreemptEnable();
                break;
            case "word":
                await cpu.Store(things.Counter, 0);
                break;
            case "reference":
                await cpu.PutFrames(1, "put_page");
                break;
            case "frame":
                await cpu.PutFrames(1UL << taken, "put_page");
                break;
            default:
                await cpu.FreeTable(taken);
                break;
        }
    }

    private sealed record Left(Spinlock Lock, KernelMutex Mutex, RwSemaphore Semaphore, Srcu Srcu, Word Counter);
}
