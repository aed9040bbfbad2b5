using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// The matrix judges a return and a free without anybody who accesses. Here the same machines get programs that make the accesses, and only
/// those are judged: the verdict must be the same.
/// </summary>
public sealed class PairJudgementTests
{
    private static readonly CheckOptions Options = new() { Time = TimeSpan.FromMinutes(10), MinimiserStatesMax = 20_000 };

    /// <summary>Correct core and bugs.</summary>
    public static TheoryData<string, string, string, Verdict> Cells => new()
    {
        { "", "madvise-dontneed", "reclaim-batched", Verdict.Pass },
        { "", "mprotect-ro", "reclaim-batched", Verdict.Pass },
        { "", "munmap", "reclaim", Verdict.Pass },
        { "", "clear-refs", "reclaim-batched", Verdict.Pass },
        { "B01", "madvise-dontneed", "reclaim-batched", Verdict.Violation },
        { "B01", "mprotect-ro", "reclaim-batched", Verdict.Violation },
        { "B02", "madvise-dontneed", "madvise-dontneed", Verdict.Violation },
        { "B12", "clear-refs", "reclaim", Verdict.Violation },
        { "B17", "madvise-dontneed", "reclaim-batched", Verdict.Violation },
    };

    [Theory]
    [MemberData(nameof(Cells))]
    public void A_return_and_a_free_are_judged_as_the_accesses_are(string bug, string first, string second, Verdict expected)
    {
        PairSetup setup = bug.Length == 0 ? new PairSetup() : PairSetup.OfBug(ScenarioList.Find(bug)!)!;
        MmOperation[] operations = [Operation(first), Operation(second)];
        var cell = new PairCell(operations, RangeRelation.Same, PageKind.Anonymous, Bystander.Busy);
        var subject = new CheckSubject("accesses", string.Empty, string.Empty, "core", null, []);
        CheckReport accesses = Checker.Check(subject, () => WithAccesses(operations, setup), Options);
        Assert.Equal((expected, expected), (PairRun.Check(cell, setup, Options).Verdict, accesses.Verdict));
    }

    [Fact]
    public void A_promise_that_is_never_made_is_no_pass()
    {
        var cell = new PairCell(
            [new PromisesInVain(), new PromisesInVain()], RangeRelation.Same, PageKind.Anonymous, Bystander.Busy);
        CheckReport report = PairRun.Check(cell, new PairSetup(), Options);
        Assert.Equal(Verdict.Inconclusive, report.Verdict);
        Assert.StartsWith("P-ret never had anything to judge", report.Reason, StringComparison.Ordinal);
    }

    private static MmOperation Operation(string id) => OperationList.All.Single(operation => operation.Id == id);

    private static CheckModel WithAccesses(MmOperation[] operations, PairSetup setup)
    {
        KernelOptions build = operations.Aggregate(setup.Options, (chosen, operation) => operation.Configure(chosen));
        var options = new MachineOptions { Cpus = 3, EntriesPerTable = 1, Frames = 1 + operations.Sum(operation => operation.FramesHeld) };
        Stage stage = Stage.WithMappedPages(
            options, 1, operations.Any(operation => operation.WritesMmapLock), dirty: true, setup.Parts, build);
        for (int i = 0; i < operations.Length; i++)
        {
            MmOperation operation = operations[i];
            var call = new OperationCall(stage.Kernel, stage.Cpu(i), stage.Mm, operation, 0, 1);
            if (operation.IsKernelThread)
            {
                stage.AddKernelThread(i, operation.Role, () => operation.Run(call));
            }
            else
            {
                stage.AddThread(i, operation.Role, () => RunThenAccess(operation, call));
            }
        }

        stage.AddThread(2, "user", () => Access(stage.Cpu(2)));
        return new CheckModel(stage.Machine, [new PRet(), new PLife(), new Assertions()], []);
    }

    private static async Proc RunThenAccess(MmOperation operation, OperationCall call)
    {
        await operation.Run(call);
        await Access(call.Cpu);
    }

    private static async Proc Access(Cpu cpu)
    {
        await cpu.AccessStore(0, 1);
        await cpu.AccessTouch(0);
    }

    private sealed class PromisesInVain : MmOperation
    {
        public override string Id => "promises-in-vain";

        public override string Role => "nothing";

        public override PromiseKind? Promises => PromiseKind.Removed;

        public override async Proc Run(OperationCall call)
        {
        }
    }
}
