using System.Collections.Immutable;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Notifiers;

/// <summary>The secondary page table by hand, and random programs on it with and without each shortcut.</summary>
public sealed class SoftwareMmuTests
{
    private const int Programs = 300;

    [Theory]
    [InlineData(true, Verdict.Pass)]
    [InlineData(false, Verdict.Violation)]
    public void An_entry_that_was_removed_stays_in_the_TLB_until_it_is_flushed(bool flushes, Verdict expected)
    {
        CheckReport report = Check(() => Build(
            [(Act.Zap, 0), .. flushes ? [(Act.Flush, 0)] : Array.Empty<(Act, int)>(), (Act.Free, 0)], [(Act.Touch, 0)]));
        Assert.Equal(expected, report.Verdict);
        Assert.Equal(
            flushes ? null : "device reads frame 0 through the page-table entry of 0x1000 after the frame was freed.",
            report.Counterexample?.Sentence);
    }

    [Fact]
    public void An_entry_that_was_not_removed_leads_to_a_freed_frame()
        => Assert.Equal(
            "device reads frame 0 through the page-table entry of 0x1000 after the frame was freed.",
            Check(() => Build([(Act.Free, 0)], [(Act.Touch, 0)])).Counterexample?.Sentence);

    [Fact]
    public void A_promise_covers_the_device()
        => Assert.Equal(
            "In this case 0x1000 may still be read through the stale spte of device (frame 0) after discard() returned.",
            Check(() => Build([(Act.Discard, 0)], [(Act.Touch, 0)])).Counterexample?.Sentence);

    [Fact]
    public void A_notifier_that_comes_after_a_program_is_refused()
    {
        Stage stage = Stage.WithMappedPages(new MachineOptions { Cpus = 1, EntriesPerTable = 1, Frames = 1 }, 1, mmapWriters: false, dirty: true);
        stage.AddThread(0, "user", () => Stage.LoadPages(stage.Kernel, stage.Cpu(0), stage.Mm, 1));
        Assert.Throws<InvalidOperationException>(() => new Kvm(stage.Kernel, stage.Mm));
    }

    [Theory]
    [InlineData("reduction")]
    [InlineData("explicit TLB")]
    public void Random_programs_agree_without_the_shortcut(string shortcut)
    {
        int violations = 0;
        int compared = 0;
        for (int seed = 0; seed < Programs; seed++)
        {
            (ImmutableArray<(Act, int)> driver, ImmutableArray<(Act, int)> device) = RandomPrograms(seed);
            ExplorationResult fast = Explore(Build(driver, device));
            ExplorationResult slow = shortcut == "reduction"
                ? Explore(Build(driver, device), reduction: false) : Explore(Build(driver, device, TlbKind.Explicit));
            if (fast.Incomplete is not null || slow.Incomplete is not null)
            {
                continue;
            }

            compared++;
            violations += slow.Violation is null ? 0 : 1;
            string program = $"seed {seed}: {string.Join(", ", driver)} against {string.Join(", ", device)}";
            Assert.True(slow.Violation is null == fast.Violation is null, $"{slow.Violation?.Sentence} / {fast.Violation?.Sentence}, {program}");
            Assert.True(slow.Violation is not null || slow.FinalStates.SetEquals(fast.FinalStates), $"final states differ, {program}");
        }

        Assert.InRange(compared, Programs * 9 / 10, Programs);
        Assert.InRange(violations, 20, compared - 20);
    }

    private static CheckReport Check(Func<CheckModel> build)
        => Checker.Check(new CheckSubject("spte", string.Empty, string.Empty, "fix", null, []), build, new CheckOptions { Workers = 1 });

    private static ExplorationResult Explore(CheckModel model, bool reduction = true)
        => Explorer.Explore(model, new CheckOptions { Workers = 1, Reduction = reduction, CollectFinalStates = true, MemoryBytes = 3 << 19 });

    private static (ImmutableArray<(Act, int)> Driver, ImmutableArray<(Act, int)> Device) RandomPrograms(int seed)
    {
        var random = new Random(seed);
        Act[] driver = [Act.Zap, Act.Zap, Act.Flush, Act.Flush, Act.FlushPage, Act.MapRead, Act.MapWrite, Act.Discard, Act.Free];
        Act[] device = [Act.Touch, Act.Load, Act.Store];
        return (
            [.. Enumerable.Range(0, 4).Select(_ => (driver[random.Next(driver.Length)], random.Next(2)))],
            [.. Enumerable.Range(0, 3).Select(_ => (device[random.Next(device.Length)], random.Next(2)))]);
    }

    /// <summary>Two pages that the device has mapped; CPU0 is the driver, CPU1 stores through its own TLB, the device loads and stores.</summary>
    private static CheckModel Build(
        ImmutableArray<(Act Act, int Page)> driver, ImmutableArray<(Act Act, int Page)> device, TlbKind tlb = TlbKind.Lagging)
    {
        var options = new MachineOptions { Cpus = 2, EntriesPerTable = 2, Frames = 4, FrameColours = 2, Tlb = tlb };
        Stage stage = Stage.WithMappedPages(options, 2, mmapWriters: false, dirty: true);
        var mmu = new SoftwareMmu(stage.Machine, stage.Mm.Space, "device");
        mmu.BuildSpte(0, 0, write: true);
        mmu.BuildSpte(1, 1, write: false);
        ImmutableArray<Promise> promises =
        [
            .. Enumerable.Range(0, 2).Select(page
                => new Promise(stage.Machine, stage.Cpu(0), stage.Mm.Space, page, 1, PromiseKind.Removed, "discard()")),
        ];
        stage.AddThread(0, "driver", () => Drive(stage.Kernel, stage.Cpu(0), stage.Mm, mmu, driver, promises));
        stage.Machine.AddAgent("device", AgentKind.Task, null, false, () => Use(mmu, device));
        return new CheckModel(stage.Machine, [new PLife(), new PRet(), new PWrite(), new Assertions()], []);
    }

    [KernelName]
    private static async Proc Drive(
        KernelModel kernel, Cpu cpu, Mm mm, SoftwareMmu mmu, ImmutableArray<(Act Act, int Page)> program, ImmutableArray<Promise> promises)
    {
        for (int i = 0; i < program.Length; i++)
        {
            int page = program[i].Page;
            switch (program[i].Act)
            {
                case Act.Zap:
                    await mmu.SpteExchange(cpu, page, Pte.None, "zap");
                    break;
                case Act.Flush:
                    await mmu.FlushTlbs(cpu);
                    break;
                case Act.FlushPage:
                    await mmu.FlushTlbRange(cpu, page, 1, "flush");
                    break;
                case Act.MapRead:
                    await mmu.SpteExchange(cpu, page, Pte.Leaf(page, write: false), "map");
                    break;
                case Act.MapWrite:
                    await mmu.SpteExchange(cpu, page, Pte.Leaf(page + 2, write: true), "map");
                    break;
                case Act.Discard:
                    await Discard(kernel, cpu, mm, promises[page], page);
                    break;
                default:
                    await cpu.PutFrames(1UL << page, "put_page");
                    break;
            }
        }
    }

    [KernelName]
    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, int page)
    {
        await cpu.BeginPromise(promise);
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        await kernel.PteOps.PtepGetAndClear(cpu, table, page);
        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        await kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
        await cpu.ReturnPromise(promise);
    }

    [KernelName]
    private static async Proc Use(SoftwareMmu mmu, ImmutableArray<(Act Act, int Page)> program)
    {
        for (int i = 0; i < program.Length; i++)
        {
            switch (program[i].Act)
            {
                case Act.Touch:
                    await mmu.AccessTouch(null, program[i].Page);
                    break;
                case Act.Load:
                    await mmu.AccessLoad(null, program[i].Page);
                    break;
                default:
                    await mmu.AccessStore(null, program[i].Page, i + 1);
                    break;
            }
        }
    }

    private enum Act
    {
        Zap,
        Flush,
        FlushPage,
        MapRead,
        MapWrite,
        Discard,
        Free,
        Touch,
        Load,
        Store,
    }
}
