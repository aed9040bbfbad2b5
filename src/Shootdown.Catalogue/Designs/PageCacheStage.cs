using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A reader with a read-only mapping of a file; reclaim drops the file's clean page; a writer writes to the file without mapping it,
/// and tells the reader.
/// </summary>
internal static class PageCacheStage
{
    private const int OldData = 1;
    private const int NewData = 2;

    /// <summary>Choices of the kernel's build that it needs.</summary>
    public static KernelOptions Options => new() { Files = true, SwapData = true };

    /// <summary>The stage: reclaim on CPU0, the reader on CPU1, the writer on CPU2 or after reclaim on CPU0.</summary>
    public static Stage Build(KernelParts parts, KernelOptions build, int extraAsids, bool separateWriter = true)
    {
        var options = new MachineOptions { Cpus = separateWriter ? 3 : 2, EntriesPerTable = 1, Tables = 1, Frames = 2, Asids = 1 + extraAsids };
        var kernel = new KernelModel(new MachineModel(options), build, parts);
        Mm mm = kernel.NewMm("mm", 1, mmapWriters: false);
        FileMapping file = kernel.NewFile("file", 1);
        mm.AddSharedFileArea(file, 0, 1, 0);
        kernel.BuildCached(file, 0, 0);
        kernel.BuildMapping(mm, 0, Pte.Leaf(0, write: false));
        kernel.Machine.SetInitial(kernel.Machine.Paging.Frames[0].Content.Address, OldData);
        kernel.Machine.SetInitial(file.Disk[0].Address, OldData);
        var stage = new Stage(kernel, mm);
        Word told = kernel.Machine.NewWord("message");
        Cpu writer = stage.Cpu(separateWriter ? 2 : 0);
        stage.AddThread(1, "reader", () => ReadWhenTold(kernel, stage.Cpu(1), mm, told));
        if (separateWriter)
        {
            stage.AddKernelThread(0, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), 1, true));
            stage.AddKernelThread(2, "write", () => GenericPerformWrite(kernel, writer, file, told));
        }
        else
        {
            stage.AddKernelThread(0, "write", () => ReclaimAndWrite(kernel, writer, file, told));
        }

        return stage;
    }

    /// <summary>Whoever writes reclaims first.</summary>
    private static async Proc ReclaimAndWrite(KernelModel kernel, Cpu cpu, FileMapping file, Word told)
    {
        await kernel.Reclaim.ShrinkFolioList(cpu, 1, true);
        await GenericPerformWrite(kernel, cpu, file, told);
    }

    private static async Proc ReadWhenTold(KernelModel kernel, Cpu cpu, Mm mm, Word told)
    {
        if (await cpu.Load(told) != 0)
        {
            int found = await kernel.UserAccess.UserLoadValue(cpu, mm, 0);
            await cpu.Assert(found == NewData, "the reader was told of the new data, and reads it");
        }
    }

    /// <summary>mm/filemap.c: <c>generic_perform_write</c>: into the page cache, not through a mapping.</summary>
    private static async Proc GenericPerformWrite(KernelModel kernel, Cpu cpu, FileMapping file, Word told)
    {
        int frame = await kernel.Filemap.FilemapFault(cpu, file, 0, 0);
        await cpu.Store(kernel.Machine.Paging.Frames[frame].Content, NewData);
        await kernel.Filemap.FolioMarkDirty(cpu, frame);
        await kernel.Filemap.FolioUnlock(cpu, frame);
        await kernel.Filemap.FolioPut(cpu, frame);
        await cpu.Store(told, 1, weight: StepWeight.Key);
    }
}
