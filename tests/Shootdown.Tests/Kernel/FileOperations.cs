using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Kernel;

/// <summary>Programs on a shared file, one a CPU, and the machine that they run on.</summary>
internal static class FileOperations
{
    /// <summary>All operations; those with "other" run in a second process that maps the same file.</summary>
    internal static readonly string[] All =
        ["reclaim", "reclaim unbatched", "writeback", "truncate", "munmap", "madvise", "store", "load", "other store", "other munmap"];

    internal static CheckModel Build(string[] roles, string build)
    {
        int levels = build.Contains("levels=2", StringComparison.Ordinal) ? 2 : 1;
        int pages = build.Contains("pages=2", StringComparison.Ordinal) ? 2 : 1;
        bool cached = !build.Contains("uncached", StringComparison.Ordinal);
        int spaces = roles.Any(IsOther) ? 2 : 1;
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = roles.Length,
            Levels = levels,
            EntriesPerTable = pages,
            Tables = (2 * levels * spaces) + 1,
            Frames = (roles.Length + 1) * pages,
            FrameColours = pages,
            Model = build.Contains("tso", StringComparison.Ordinal) ? MemoryModelKind.X86Tso : MemoryModelKind.Sc,
        });
        int gatherFrames = build.Contains("small-gather", StringComparison.Ordinal) ? 1 : 64;
        var kernel = new KernelModel(machine, new KernelOptions { Files = true, GatherFrames = gatherFrames });
        FileMapping file = kernel.NewFile("file", pages, roles.Contains("truncate"));
        for (int space = 0; space < spaces; space++)
        {
            Mm mm = kernel.NewMm(space == 0 ? "mm" : "other", pages, roles.Any(role => role.Contains("munmap", StringComparison.Ordinal)));
            mm.AddSharedFileArea(file, 0, pages, 0);
        }

        for (int page = 0; page < pages && cached; page++)
        {
            kernel.BuildCached(file, page, page);
            machine.SetInitial(kernel.Folios[page].Frame.Dirty.Address, 1);
            foreach (Mm mm in kernel.Mms)
            {
                kernel.BuildMapping(mm, page, Pte.Leaf(page, write: true, dirty: true));
            }
        }

        for (int cpu = 0; cpu < roles.Length; cpu++)
        {
            AddTask(kernel, machine.Cpus[cpu], pages, roles[cpu]);
        }

        var knowledge = new KernelFlushKnowledge(kernel);
        return new CheckModel(
            machine, [new PLife(), new PRet(), new PWrite(kernel.PageCache), new PAgree(knowledge), new Assertions()], []);
    }

    private static bool IsOther(string role) => role.StartsWith("other ", StringComparison.Ordinal);

    private static void AddTask(KernelModel kernel, Cpu cpu, int pages, string role)
    {
        Mm mm = kernel.Mms[IsOther(role) ? 1 : 0];
        string operation = IsOther(role) ? role["other ".Length..] : role;
        if (operation is not ("reclaim" or "reclaim unbatched" or "writeback" or "truncate"))
        {
            kernel.BuildRunning(cpu, mm);
        }

        Promise? promise = operation is "munmap" or "madvise"
            ? new Promise(kernel.Machine, cpu, mm.Space, 0, pages, PromiseKind.Removed, $"{operation}()")
            : null;
        kernel.Machine.AddTask(cpu, role, () => Run(kernel, cpu, mm, pages, operation, promise));
    }

    private static async Proc Run(KernelModel kernel, Cpu cpu, Mm mm, int pages, string operation, Promise? promise)
    {
        switch (operation)
        {
            case "reclaim" or "reclaim unbatched":
                await kernel.Reclaim.ShrinkFolioList(cpu, (1UL << pages) - 1, operation == "reclaim");
                break;
            case "writeback":
                await kernel.Writeback.WriteCachePages(cpu, kernel.Files[0], 0, pages);
                break;
            case "truncate":
                await kernel.Truncate.TruncateSetsize(cpu, kernel.Files[0], 0);
                break;
            case "munmap":
                await kernel.Munmap.DoMunmap(cpu, mm, promise!);
                await Stage.LoadPages(kernel, cpu, mm, pages);
                break;
            case "madvise":
                await kernel.Madvise.MadviseDontneed(cpu, mm, promise!);
                await Stage.LoadPages(kernel, cpu, mm, pages);
                break;
            case "store":
                await Stage.StorePages(kernel, cpu, mm, pages);
                break;
            default:
                await Stage.LoadPages(kernel, cpu, mm, pages);
                break;
        }
    }
}
