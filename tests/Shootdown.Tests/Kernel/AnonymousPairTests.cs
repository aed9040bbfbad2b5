using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Kernel;

/// <summary>
/// The same as <see cref="OperationPairTests"/> for all that is done with anonymous memory whose pages have several users:
/// moving, migration, fork, NUMA hints, soft-dirty tracking, write protection by userfaultfd, madvise. A thread that stores
/// must also find what it stored, unless the other operation throws it away.
/// </summary>
public sealed class AnonymousPairTests
{
    private static readonly string[] Operations =
    [
        "reclaim", "migrate", "munmap", "mremap", "mprotect", "madvise", "free", "cold", "pageout", "numa", "device", "fork",
        "clear_refs", "protect", "unprotect", "store", "load",
    ];

    private static readonly string[] Discarding = ["munmap", "mremap", "mprotect", "madvise", "free", "reclaim", "pageout"];

    /// <summary>What differs between the kernels and machines that all pairs are run on.</summary>
    public static TheoryData<string> Builds =>
    [
        "levels=1 misplaced dirty sc",
        "levels=2 misplaced dirty sc",
        "levels=1 clean sc",
        "levels=1 dirty x86-tso",
    ];

    [Theory]
    [MemberData(nameof(Builds))]
    public void Every_pair_of_operations_is_correct(string build)
    {
        for (int first = 0; first < Operations.Length; first++)
        {
            for (int second = first; second < Operations.Length; second++)
            {
                string[] pair = [Operations[first], Operations[second]];
                if (pair is ["fork", "fork"])
                {
                    // Both would fill the same child.
                    continue;
                }

                var subject = new CheckSubject(string.Join(" + ", pair), string.Empty, build, "fix", Verdict.Pass, []);
                CheckReport report = Checker.Check(subject, () => Build(pair, build), new CheckOptions());
                string found = report.Counterexample is { } run ? $"{run.PropertyId}: {run.Sentence}" : report.Reason;
                Assert.True(report.Verdict == Verdict.Pass, $"{report.ScenarioId} on {build}: {report.Verdict}; {found}");
            }
        }
    }

    private static CheckModel Build(string[] pair, string build)
    {
        bool moves = pair.Contains("mremap");
        int levels = build.Contains("levels=2", StringComparison.Ordinal) ? 2 : 1;
        string[] roles = pair.All(RunsWithoutTheProcess) ? [.. pair, "store"] : pair;
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = roles.Length,
            Levels = levels,
            EntriesPerTable = moves ? 2 : 1,
            Tables = 4 * levels,
            Frames = 5,
            Model = build.Contains("tso", StringComparison.Ordinal) ? MemoryModelKind.X86Tso : MemoryModelKind.Sc,
        });
        var kernel = new KernelModel(machine, new KernelOptions
        {
            AnonFolios = true,
            AnonMoves = moves,
            SoftDirty = true,
            Lazyfree = true,
            UserfaultWp = pair.Contains("protect") || pair.Contains("unprotect"),
            MisplacedPages = build.Contains("misplaced", StringComparison.Ordinal),
        });
        Mm mm = kernel.NewMm("mm", 1);
        Mm child = pair.Contains("fork") ? kernel.NewMm("child", 1) : mm;
        kernel.BuildMapping(mm, 0, Pte.Leaf(0, write: true, build.Contains("dirty", StringComparison.Ordinal)));
        for (int cpu = 0; cpu < roles.Length; cpu++)
        {
            bool keeps = !roles.Where((_, other) => other != cpu).Any(Discarding.Contains);
            AddTask(kernel, machine.Cpus[cpu], mm, child, roles[cpu], keeps);
        }

        // fork tells nobody of its pending flush: it relies on mmap_lock, which reclaim and migration do not take.
        Property[] agree = pair.Contains("fork") ? [] : [new PAgree(new KernelFlushKnowledge(kernel))];
        return new CheckModel(machine, [new PLife(), new PRet(), new PWrite(), .. agree, new Assertions()], []);
    }

    private static bool RunsWithoutTheProcess(string role) => role is "reclaim" or "migrate";

    private static void AddTask(KernelModel kernel, Cpu cpu, Mm mm, Mm child, string role, bool keeps)
    {
        if (!RunsWithoutTheProcess(role))
        {
            kernel.BuildRunning(cpu, mm);
        }

        PromiseKind? kind = role switch
        {
            "munmap" or "madvise" or "mremap" => PromiseKind.Removed,
            "mprotect" or "fork" or "clear_refs" or "protect" => PromiseKind.WriteProtected,
            _ => null,
        };
        Promise? promise = kind is { } promised
            ? new Promise(kernel.Machine, cpu, mm.Space, 0, 1, promised, $"{role}()")
            : null;

        // Who meets a page that nobody unprotects waits for ever.
        kernel.Machine.AddAgent(
            role, AgentKind.Task, cpu, true, () => Run(kernel, cpu, mm, child, role, promise, keeps));
    }

    /// <summary>The operation, and then an access.</summary>
    private static async Proc Run(KernelModel kernel, Cpu cpu, Mm mm, Mm child, string role, Promise? promise, bool keeps)
    {
        if (RunsWithoutTheProcess(role))
        {
            await RunOnFolio(kernel, cpu, role);
            return;
        }

        await (promise is null ? Call(kernel, cpu, mm, role) : Call(kernel, cpu, mm, child, role, promise));
        if (role is "munmap" or "mremap" or "madvise" or "pageout" or "load")
        {
            await kernel.UserAccess.UserLoad(cpu, mm, 0);
        }
        else
        {
            await StoreThenLoad(kernel, cpu, mm, keeps);
        }

        if (role == "fork")
        {
            await kernel.SwitchMm.SwitchTo(cpu, child);
            await kernel.UserAccess.UserStore(cpu, child, 0, 2);
        }
    }

    private static async Proc RunOnFolio(KernelModel kernel, Cpu cpu, string role)
    {
        if (role == "reclaim")
        {
            await kernel.Reclaim.ShrinkFolioList(cpu, 1, true);
        }
        else if (await kernel.Reclaim.FolioIsolateLru(cpu, 0))
        {
            await kernel.Migrate.MigratePages(cpu, 0, true);
        }
    }

    private static async Proc Call(KernelModel kernel, Cpu cpu, Mm mm, string role)
    {
        switch (role)
        {
            case "free":
                await kernel.Madvise.MadviseFree(cpu, mm, 0, 1);
                break;
            case "cold":
                await kernel.Madvise.MadviseCold(cpu, mm, 0, 1);
                break;
            case "pageout":
                await kernel.Madvise.MadvisePageout(cpu, mm, 0, 1);
                break;
            case "numa":
                await kernel.NumaHinting.ChangeProtNuma(cpu, mm, 0, 1);
                break;
            case "device":
                await kernel.MigrateDevice.MigrateVma(cpu, mm, 0);
                break;
            case "unprotect":
                await kernel.Userfaultfd.WriteUnprotect(cpu, mm, 0, 1);
                break;
        }
    }

    private static async Proc Call(KernelModel kernel, Cpu cpu, Mm mm, Mm child, string role, Promise promise)
    {
        switch (role)
        {
            case "munmap":
                await kernel.Munmap.DoMunmap(cpu, mm, promise);
                break;
            case "mremap":
                await kernel.Mremap.MoveVma(cpu, mm, promise, 1);
                break;
            case "mprotect":
                await kernel.Mprotect.MprotectReadOnly(cpu, mm, promise);
                break;
            case "madvise":
                await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
                break;
            case "fork":
                await kernel.Fork.DupMmap(cpu, mm, child, promise);
                break;
            case "clear_refs":
                await kernel.ClearRefs.ClearRefsWrite(cpu, mm, promise);
                break;
            case "protect":
                await kernel.Userfaultfd.WriteProtect(cpu, mm, promise);
                break;
        }
    }

    /// <summary>Whoever stores to the process stores 1; its child stores something else.</summary>
    private static async Proc StoreThenLoad(KernelModel kernel, Cpu cpu, Mm mm, bool keeps)
    {
        bool stored = await kernel.UserAccess.UserStore(cpu, mm, 0, 1);
        int found = await kernel.UserAccess.UserLoadValue(cpu, mm, 0);
        await cpu.Assert(!keeps || !stored || found == 1, "a thread finds what it stored");
    }
}
