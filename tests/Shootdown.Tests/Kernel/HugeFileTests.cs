using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Kernel;

/// <summary>What becomes of a page table when a file's pages become huge, step by step, on one CPU that runs a thread of the process.</summary>
public sealed class HugeFileTests
{
    private static readonly MachineOptions Options = new()
    {
        Cpus = 1,
        Levels = 2,
        EntriesPerTable = 2,
        Tables = 6,
        Frames = 8,
        FrameColours = 2,
        GracePeriods = true,
    };

    private static readonly KernelOptions Build = new() { Files = true, AnonFolios = true, Thp = true, HugeFiles = true, RcuTableFree = true };

    /// <summary>The table is gone, one entry maps the folio, and its parts have the references of the page cache and of the entry.</summary>
    [Fact]
    public void A_fault_behind_the_collapse_maps_the_folio_by_one_entry()
        => Assert.Equal(string.Empty, Run(WithSmallPages, stage => Collapse(stage.Kernel, stage.Mm)));

    /// <summary>Somebody holds mmap_lock: the table stays, and the fault maps a part of the folio by a small entry.</summary>
    [Fact]
    public void Where_the_table_could_not_be_had_small_entries_map_the_folio()
        => Assert.Equal(string.Empty, Run(WithSmallPages, stage => CollapseUnderLock(stage.Kernel, stage.Mm)));

    /// <summary>A split leaves nothing, the folio stays in the cache, and the next fault maps it again.</summary>
    [Fact]
    public void A_split_leaves_nothing()
        => Assert.Equal(string.Empty, Run(WithHugeFile, stage => Split(stage.Kernel, stage.Mm)));

    /// <summary>A child gets no entry of a shared mapping; its first fault maps the huge folio.</summary>
    [Fact]
    public void Fork_does_not_copy_a_huge_entry_of_a_file()
        => Assert.Equal(string.Empty, Run(WithChild, stage => ForkAndLoad(stage.Kernel, stage.Mm, stage.Kernel.Mms[1], stage.Machine.Promises[0])));

    /// <summary>The file ends in the middle of the folio: it is split, and its second half leaves the page cache.</summary>
    [Fact]
    public void Truncation_to_a_part_splits_the_folio()
        => Assert.Equal(string.Empty, Run(WithHugeFile, stage => TruncateHalf(stage.Kernel, stage.Mm)));

    [Fact]
    public void A_huge_page_of_a_file_must_begin_where_an_entry_does()
    {
        var kernel = new KernelModel(new MachineModel(Options), Build);
        Mm mm = kernel.NewMm("mm", 4);
        FileMapping file = kernel.NewFile("file", 4);
        Assert.Contains("KernelOptions.HugeFiles", Assert.Throws<ArgumentException>(() => mm.AddSharedFileArea(file, 0, 2, 1)).Message, StringComparison.Ordinal);
    }

    private static Stage WithHugeFile()
    {
        var kernel = new KernelModel(new MachineModel(Options), Build);
        Mm mm = kernel.NewMm("mm", 2);
        kernel.BuildHugeFile(mm.AddSharedFileArea(kernel.NewFile("file", 2), 0, 2, 0), 0, dirty: true);
        return new Stage(kernel, mm);
    }

    private static Stage WithSmallPages()
        => Stage.WithMappedFile(Options, 2, mmapWriters: true, FileAreaKind.Shared, null, Build);

    private static Stage WithChild()
    {
        Stage stage = WithHugeFile();
        stage.Kernel.NewMm("child", 2).AddSharedFileArea(stage.Kernel.Files[0], 0, 2, 0);
        _ = stage.Promise(0, 2, PromiseKind.WriteProtected, "fork()");
        return stage;
    }

    /// <summary>What was violated; empty if all assertions hold.</summary>
    private static string Run(Func<Stage> build, Func<Stage, Proc> program)
    {
        var subject = new CheckSubject("story", string.Empty, string.Empty, "core", null, []);
        CheckReport report = Checker.Check(subject, BuildModel, new CheckOptions { Workers = 1 });
        return report.Verdict == Verdict.Pass ? string.Empty : $"{report.Verdict}: {report.Reason}{report.Counterexample?.Sentence}";

        CheckModel BuildModel()
        {
            Stage stage = build();
            Proc Program() => program(stage);
            stage.AddThread(0, "story", Program);
            return new CheckModel(stage.Machine, [new PLife { CopiesFrozen = true }, new Assertions()], ["assert"]);
        }
    }

    private static async Proc Collapse(KernelModel kernel, Mm mm)
    {
        Cpu cpu = kernel.Machine.Cpus[0];
        await cpu.Assert(await kernel.KhugepagedFile.CollapseFile(cpu, kernel.Files[0], 0, 0), "the pages could be had");
        await cpu.Assert(await kernel.HugeMemory.PmdNone(cpu, mm, 0), "the table is gone");
        await kernel.UserAccess.UserLoad(cpu, mm, 1);
        Pte entry = await cpu.EntryRead(kernel.PageWalk.Root(mm), 0, "pmdp_get");
        await cpu.Assert(entry is { Huge: true, Write: false, Frame: 2 }, "one entry maps the folio");
        await cpu.Assert(await cpu.Load(kernel.Folios[2].Frame.RefCount) == 2 && await cpu.Load(kernel.Folios[3].Frame.RefCount) == 2, "references");
        await cpu.Assert(await cpu.Load(kernel.Folios[2].Frame.MapCount) == 1, "one mapping");
        await kernel.UserAccess.UserStore(cpu, mm, 0, 1);
        entry = await cpu.EntryRead(kernel.PageWalk.Root(mm), 0, "pmdp_get");
        await cpu.Assert(entry is { Huge: true, Write: true, Dirty: true, Frame: 2 }, "the store's fault maps it writable");
    }

    private static async Proc CollapseUnderLock(KernelModel kernel, Mm mm)
    {
        Cpu cpu = kernel.Machine.Cpus[0];
        await kernel.MmapLock.MmapReadLock(cpu, mm);
        await cpu.Assert(await kernel.KhugepagedFile.CollapseFile(cpu, kernel.Files[0], 0, 0), "the pages could be had");
        await kernel.MmapLock.MmapReadUnlock(cpu, mm);
        await kernel.UserAccess.UserLoad(cpu, mm, 1);
        PageTable table = await kernel.PageWalk.TableAt(cpu, mm, 1, 0);
        await cpu.Assert(table.Index >= 0 && (await cpu.EntryRead(table, 1)).Frame == 3, "a small entry maps the second part");
        await cpu.Assert(await cpu.Load(kernel.Folios[2].Frame.MapCount) == 1 && await cpu.Load(kernel.Folios[3].Frame.RefCount) == 2, "counts");
    }

    private static async Proc Split(KernelModel kernel, Mm mm)
    {
        Cpu cpu = kernel.Machine.Cpus[0];
        await kernel.HugeMemory.SplitHugePmd(cpu, mm, 0);
        await cpu.Assert(await kernel.HugeMemory.PmdNone(cpu, mm, 0), "nothing takes the place of the entry");
        await cpu.Assert(await cpu.Load(kernel.Folios[0].Frame.MapCount) == 0 && await cpu.Load(kernel.Folios[1].Frame.RefCount) == 1, "counts");
        await kernel.UserAccess.UserLoad(cpu, mm, 0);
        await cpu.Assert((await cpu.EntryRead(kernel.PageWalk.Root(mm), 0, "pmdp_get")) is { Huge: true, Frame: 0 }, "a fault maps it again");
    }

    private static async Proc ForkAndLoad(KernelModel kernel, Mm mm, Mm child, Promise promise)
    {
        Cpu cpu = kernel.Machine.Cpus[0];
        await kernel.Fork.DupMmap(cpu, mm, child, promise);
        await cpu.Assert(await kernel.HugeMemory.PmdNone(cpu, child, 0), "the child has nothing");
        await cpu.Assert((await cpu.EntryRead(kernel.PageWalk.Root(mm), 0, "pmdp_get")) is { Huge: true, Write: true }, "the parent's entry is what it was");
        await kernel.SwitchMm.SwitchTo(cpu, child);
        await kernel.UserAccess.UserLoad(cpu, child, 1);
        await cpu.Assert((await cpu.EntryRead(kernel.PageWalk.Root(child), 0, "pmdp_get")) is { Huge: true, Frame: 0 }, "the child maps the folio");
        await cpu.Assert(await cpu.Load(kernel.Folios[0].Frame.MapCount) == 2, "two mappings");
    }

    private static async Proc TruncateHalf(KernelModel kernel, Mm mm)
    {
        Cpu cpu = kernel.Machine.Cpus[0];
        FileMapping file = kernel.Files[0];
        await kernel.Truncate.TruncateSetsize(cpu, file, 1);
        await cpu.Assert(await cpu.Load(file.Pages[0]) == 1 && await cpu.Load(file.Pages[1]) == 0, "the first half stays in the cache");
        await cpu.Assert(!await kernel.CompoundFolios.FolioTestLarge(cpu, 0) && await cpu.Load(kernel.Folios[0].Frame.Dirty) == 1, "small, and dirty");
        await cpu.Assert(await cpu.Load(kernel.Folios[0].Frame.RefCount) == 1 && await cpu.Load(kernel.Folios[1].Frame.RefCount) == 0, "references");
        await cpu.Assert(await kernel.HugeMemory.PmdNone(cpu, mm, 0), "no entry is left");
    }
}
