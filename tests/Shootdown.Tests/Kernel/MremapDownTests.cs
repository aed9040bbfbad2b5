using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Kernel;

/// <summary>
/// mremap to a lower address. A walk from a page to its entries goes upwards: without the rmap locks it can look at the new place
/// before the entry is there and at the old one after it left. Migration then leaves a migration entry behind, and whoever touches the
/// page tries for ever.
/// </summary>
public sealed class MremapDownTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Rmap_walks_do_not_miss_a_page_that_moves_down(int pages)
    {
        CheckReport report = Check(() => Build(pages, new KernelParts()), new CheckOptions());
        Assert.Equal((Verdict.Pass, string.Empty), (report.Verdict, report.Reason));
        CheckReport broken = Check(() => Build(pages, WithoutLocks), new CheckOptions());
        Assert.Equal((Verdict.Violation, "assert"), (broken.Verdict, broken.Counterexample!.PropertyId));
    }

    [Fact]
    public void Shortcuts_do_not_change_the_verdicts()
    {
        var slow = new CheckOptions { Reduction = false };
        Assert.Equal(Verdict.Pass, Check(() => Build(1, new KernelParts()), slow).Verdict);
        Assert.Equal(Verdict.Violation, Check(() => Build(1, WithoutLocks), slow).Verdict);
        Assert.Equal(Verdict.Pass, Check(() => Build(1, new KernelParts(), TlbKind.Explicit), new CheckOptions()).Verdict);
    }

    [Fact]
    public void Ranges_that_touch_each_other_are_refused()
    {
        CheckReport report = Check(() => Build(2, new KernelParts(), to: 1), new CheckOptions());
        Assert.Equal(Verdict.Unsupported, report.Verdict);
        Assert.Contains("the new range must not touch the old one", report.Reason, StringComparison.Ordinal);
    }

    private static KernelParts WithoutLocks => new() { Mremap = kernel => new NeverLocksRmap(kernel) };

    private static CheckModel Build(int pages, KernelParts parts, TlbKind tlb = TlbKind.Lagging, int to = 0)
    {
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = 3,
            EntriesPerTable = 2 * pages,
            Frames = 2 * pages,
            FrameColours = 1,
            Tlb = tlb,
        });
        var kernel = new KernelModel(machine, new KernelOptions { AnonMoves = true, AnonFolios = true }, parts);
        Mm mm = kernel.NewMm("mm", 2 * pages, mmapWriters: true);
        ulong area = VmAreas.Covering(pages, pages).Bits;
        machine.SetInitial(mm.Vmas.Address, area);
        machine.SetInitial(mm.AnonVmaPages.Address, area);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, pages + page, Pte.Leaf(page, write: true));
        }

        Cpu mover = machine.Cpus[0];
        Cpu user = machine.Cpus[2];
        kernel.BuildRunning(mover, mm);
        kernel.BuildRunning(user, mm);
        var promise = new Promise(machine, mover, mm.Space, pages, pages, PromiseKind.Removed, "mremap()");
        Word migrated = machine.NewWord("migrated");
        machine.AddTask(mover, "mremap", () => MoveAndLook(kernel, mover, mm, promise, to, migrated));
        machine.AddTask(machine.Cpus[1], "compaction", () => MigrateFirst(kernel, machine.Cpus[1], migrated));
        machine.AddTask(user, "user", () => LoadOld(kernel, user, mm, pages));
        return new CheckModel(machine, [new PRet(), new PLife(), new Assertions()], ["P-ret"]);
    }

    private static async Proc MoveAndLook(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, int to, Word migrated)
    {
        await kernel.Mremap.MoveVma(cpu, mm, promise, to);
        await cpu.WaitUntil(migrated, Condition.Equal, 1);
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, to);
        Pte entry = await cpu.EntryRead(table, to);
        await cpu.Assert(!entry.IsMigration, "no migration entry is left when migration has ended");
        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
    }

    private static async Proc MigrateFirst(KernelModel kernel, Cpu cpu, Word migrated)
    {
        await kernel.Migrate.CompactZone(cpu, 0, 1, false);
        await cpu.Store(migrated, 1);
    }

    private static async Proc LoadOld(KernelModel kernel, Cpu cpu, Mm mm, int page) => await kernel.UserAccess.UserLoad(cpu, mm, page);

    private static CheckReport Check(Func<CheckModel> build, CheckOptions options)
        => Checker.Check(new CheckSubject("mremap-down", "", "", "fix", null, []), build, options with { Time = TimeSpan.FromMinutes(10) });

    /// <summary>mremap that counts on every walk to meet the page.</summary>
    private sealed class NeverLocksRmap(KernelModel kernel) : Mremap(kernel)
    {
        /// <inheritdoc/>
        protected override bool NeedsRmapLocks(int oldFirst, int newFirst) => false;
    }
}
