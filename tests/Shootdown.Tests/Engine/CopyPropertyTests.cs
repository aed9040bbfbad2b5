using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>P-copy by hand: one CPU replaces a page by a copy, another one stores once.</summary>
public sealed class CopyPropertyTests
{
    [Fact]
    public void A_store_between_the_copy_and_its_mapping_is_lost()
    {
        CheckReport report = Check(clearsFirst: false);
        Assert.Equal(Verdict.Violation, report.Verdict);
        Assert.Equal("P-copy", report.Counterexample!.PropertyId);
        Assert.Equal(
            "A store to 0x1000 went to frame 0 after it was copied to frame 1, which is mapped instead: the store is lost.",
            report.Counterexample.Sentence);
    }

    [Fact]
    public void Nothing_is_lost_if_the_entry_is_cleared_and_flushed_before_the_copy()
        => Assert.Equal(Verdict.Pass, Check(clearsFirst: true).Verdict);

    private static CheckReport Check(bool clearsFirst)
        => Checker.Check(
            new CheckSubject("copy", string.Empty, string.Empty, "fix", null, []), () => Build(clearsFirst), new CheckOptions { Workers = 1 });

    private static CheckModel Build(bool clearsFirst)
    {
        var options = new MachineOptions { Cpus = 2, EntriesPerTable = 1, Frames = 2 };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true);
        stage.AddThread(0, "replace", () => Replace(stage.Kernel, stage.Cpu(0), stage.Mm, clearsFirst));
        stage.AddThread(1, "user", () => StoreOnce(stage.Cpu(1)));
        return new CheckModel(stage.Machine, [new PCopy()]);
    }

    private static async Proc Replace(KernelModel kernel, Cpu cpu, Mm mm, bool clearsFirst)
    {
        int copy = await cpu.AllocFrame(0);
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, 0);
        if (clearsFirst)
        {
            await kernel.PteOps.PtepClearFlush(cpu, mm, table, 0);
        }

        await cpu.CopyFrame(0, copy, "copy_page");
        if (!clearsFirst)
        {
            await kernel.PteOps.PtepClearFlush(cpu, mm, table, 0);
        }

        await kernel.PteOps.SetPteAt(cpu, table, 0, Pte.Leaf(copy, write: true, dirty: true));
        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
    }

    private static async Proc StoreOnce(Cpu cpu) => await cpu.AccessStore(0, 1);
}
