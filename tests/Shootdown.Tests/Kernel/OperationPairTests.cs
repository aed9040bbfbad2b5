using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Kernel;

/// <summary>
/// The core is the correct kernel: every two of its operations, run at the same time on one address space, satisfy all
/// properties, on every build of the kernel and under both memory models (seed 000: "a swarm of such problems").
/// </summary>
public sealed class OperationPairTests
{
    private static readonly string[] Operations =
        ["reclaim", "reclaim unbatched", "munmap", "mprotect", "madvise", "store", "load", "lazy"];

    /// <summary>What differs between the kernels and machines that all pairs are run on.</summary>
    public static TheoryData<string> Builds =>
    [
        "levels=1 pages=1 model=sc",
        "levels=1 pages=2 model=sc",
        "levels=1 pages=2 model=sc small-gather",
        "levels=1 pages=1 model=sc pcid",
        "levels=1 pages=1 model=x86-tso",
        "levels=2 pages=1 model=sc",
        "levels=2 pages=1 model=sc rcu",
        "levels=2 pages=1 model=x86-tso rcu",
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
                var subject = new CheckSubject(string.Join(" + ", pair), string.Empty, build, "fix", Verdict.Pass, []);
                CheckReport report = Checker.Check(subject, () => Build(pair, build), new CheckOptions());
                string found = report.Counterexample is { } run ? $"{run.PropertyId}: {run.Sentence}" : report.Reason;
                Assert.True(report.Verdict == Verdict.Pass, $"{report.ScenarioId} on {build}: {report.Verdict}; {found}");
            }
        }
    }

    private static CheckModel Build(string[] pair, string build)
    {
        int levels = build.Contains("levels=2", StringComparison.Ordinal) ? 2 : 1;
        int pages = build.Contains("pages=2", StringComparison.Ordinal) ? 2 : 1;
        bool rcu = build.Contains("rcu", StringComparison.Ordinal);

        // Reclaim runs on kernel page tables; somebody must run the address space.
        string[] roles = pair.All(IsReclaim) ? [.. pair, "load"] : pair;
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = roles.Length,
            Levels = levels,
            EntriesPerTable = pages,
            Tables = 2 * levels,
            Frames = 4 * pages,
            FrameColours = pages,
            Asids = build.Contains("pcid", StringComparison.Ordinal) ? 2 : 1,
            GracePeriods = rcu,
            Model = build.Contains("tso", StringComparison.Ordinal) ? MemoryModelKind.X86Tso : MemoryModelKind.Sc,
        });
        int gatherFrames = build.Contains("small-gather", StringComparison.Ordinal) ? 1 : 64;
        var options = new KernelOptions { RcuTableFree = rcu, TableBatchMayFail = rcu, GatherFrames = gatherFrames };
        var kernel = new KernelModel(machine, options);
        Mm mm = kernel.NewMm("mm", pages);
        for (int page = 0; page < pages; page++)
        {
            machine.Paging.BuildMapping(mm.Space, page, Pte.Leaf(page, write: true, dirty: true));
        }

        for (int cpu = 0; cpu < roles.Length; cpu++)
        {
            AddTask(kernel, machine.Cpus[cpu], mm, pages, roles[cpu]);
        }

        var knowledge = new KernelFlushKnowledge(kernel);
        return new CheckModel(machine, [new PLife(), new PRet(), new PWrite(), new PAgree(knowledge), new Assertions()], []);
    }

    private static void AddTask(KernelModel kernel, Cpu cpu, Mm mm, int pages, string role)
    {
        if (!IsReclaim(role))
        {
            kernel.BuildRunning(cpu, mm);
        }

        if (role == "lazy")
        {
            kernel.Machine.AddAgent("page walker", AgentKind.Hardware, cpu, true, () => RunAhead(cpu));
        }

        PromiseKind? kind = role switch
        {
            "munmap" or "madvise" => PromiseKind.Removed,
            "mprotect" => PromiseKind.WriteProtected,
            _ => null,
        };
        Promise? promise = kind is { } promised
            ? new Promise(kernel.Machine, cpu, mm.Space, 0, pages, promised, $"{role}()")
            : null;
        kernel.Machine.AddTask(cpu, role, () => Run(kernel, cpu, mm, pages, role, promise));
    }

    private static bool IsReclaim(string role) => role.StartsWith("reclaim", StringComparison.Ordinal);

    private static async Proc RunAhead(Cpu cpu) => await cpu.SpeculativeWalks();

    /// <summary>The operation, and then an access that must not find what the operation took away.</summary>
    private static async Proc Run(KernelModel kernel, Cpu cpu, Mm mm, int pages, string role, Promise? promise)
    {
        switch (role)
        {
            case "reclaim" or "reclaim unbatched":
                await kernel.Reclaim.ShrinkFolioList(cpu, (1UL << pages) - 1, role == "reclaim");
                return;
            case "munmap":
                await kernel.Munmap.DoMunmap(cpu, mm, promise!);
                break;
            case "madvise":
                await kernel.Madvise.MadviseDontneed(cpu, mm, promise!);
                break;
            case "mprotect":
                await kernel.Mprotect.MprotectReadOnly(cpu, mm, promise!);
                break;
            case "lazy":
                await kernel.LazyTlb.EnterLazyTlb(cpu);
                await kernel.SwitchMm.SwitchTo(cpu, mm);
                break;
            case "store":
                await Stage.StorePages(kernel, cpu, mm, pages);
                break;
        }

        if (role is "store" or "mprotect" or "lazy")
        {
            await Stage.StorePages(kernel, cpu, mm, pages);
        }
        else
        {
            await Stage.LoadPages(kernel, cpu, mm, pages);
        }
    }
}
