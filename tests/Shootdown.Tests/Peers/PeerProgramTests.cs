using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Peers;

/// <summary>
/// The bounded C programs, with counts that follow from the programs and not from running them. A final state is the
/// contents of all words that a program can read, those that keep loaded values included.
/// </summary>
public sealed class PeerProgramTests
{
    public static TheoryData<string> Ids => [.. Programs.Select(scenario => scenario.Id)];

    private static IEnumerable<PeerProgram> Programs => ScenarioList.All.OfType<PeerProgram>();

    [Fact]
    public void There_are_ten_programs()
        => Assert.Equal(10, Programs.Count());

    /// <summary>
    /// Thread i reads 1 or 0. All combinations but one: for everybody to read 0, every store would have to come after
    /// the load of the thread before it in the ring, which comes after that thread's store, and so round the ring.
    /// </summary>
    [Theory]
    [InlineData(2, 3)]
    [InlineData(3, 7)]
    [InlineData(4, 15)]
    [InlineData(5, 31)]
    [InlineData(6, 63)]
    public void Sb_has_all_outcomes_but_one_under_sc(int n, int outcomes)
        => Assert.Equal(outcomes, FinalStates("peer-sb", MemoryModelKind.Sc, true, ("n", n), ("keep", 1)));

    /// <summary>The missing one appears when all stores wait in the store buffers while everybody loads.</summary>
    [Theory]
    [InlineData(2, 4)]
    [InlineData(3, 8)]
    [InlineData(4, 16)]
    [InlineData(5, 32)]
    public void Sb_has_all_outcomes_under_tso(int n, int outcomes)
        => Assert.Equal(outcomes, FinalStates("peer-sb", MemoryModelKind.X86Tso, true, ("n", n), ("keep", 1)));

    /// <summary>
    /// x ends as 1 if all load 0 first and as n if they go one after the other; for k in between, k - 1 threads go
    /// first and the others all load what they left. It is never 0, and no store can exceed the number of threads.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Ninc_ends_with_any_value_from_1_to_n(int n)
        => Assert.Equal(n, FinalStates("peer-ninc", MemoryModelKind.Sc, true, ("n", n)));

    /// <summary>
    /// x is the number of threads that have ended, so a state is the set of those: 2^n, and one of them is final.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(8)]
    public void Ainc_has_a_state_for_each_set_of_threads(int n)
    {
        ExplorationResult all = Explore("peer-ainc", MemoryModelKind.Sc, false, ("n", n));

        Assert.Equal(1L << n, all.States);
        Assert.Equal(1, all.Executions);
        Assert.Equal(1, FinalStates("peer-ainc", MemoryModelKind.Sc, true, ("n", n)));
    }

    /// <summary>
    /// Each reader reads 0 or 42. Without reduction: before the write each reader has not read or has read 0 (2^n
    /// states), after it each has not read, has read 0 or has read 42 (3^n).
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(8)]
    public void Readers_read_before_or_after_the_writer(int n)
    {
        ExplorationResult all = Explore("peer-readers", MemoryModelKind.Sc, false, ("n", n), ("keep", 1));

        Assert.Equal((long)(Math.Pow(2, n) + Math.Pow(3, n)), all.States);
        Assert.Equal(1L << n, all.Executions);
        Assert.Equal(1 << n, FinalStates("peer-readers", MemoryModelKind.Sc, true, ("n", n), ("keep", 1)));
    }

    /// <summary>
    /// a[1] is 1; each other a[j] is 1 or a[j-1] + 1: 2^(n-1) arrays. The reader stops at n or at 0 with any of them.
    /// To stop at i in between it must see a[i+1] set before writer i has come, so a[i+1] is 1: 2^(n-2) arrays for each
    /// of n - 1 places. Together (n + 3) 2^(n-2), which at n = 12 is 15,360, GenMC's number of executions.
    /// </summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void Lastzero_has_n_plus_3_times_2_to_the_n_minus_2_outcomes(int n)
    {
        Assert.Equal((n + 3) << (n - 2), FinalStates("peer-lastzero", MemoryModelKind.Sc, true, ("n", n), ("keep", 1)));
        Assert.Equal(1 << (n - 1), FinalStates("peer-lastzero", MemoryModelKind.Sc, true, ("n", n)));
    }

    /// <summary>
    /// Messages of threads whose numbers differ by 11 are equal, and no others: up to 11 threads nobody meets anybody,
    /// one order is enough, and each of the n threads inserts its 4 messages at the first attempt.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(11)]
    public void Indexer_needs_one_order_while_nothing_collides(int n)
    {
        ExplorationResult reduced = Explore("peer-indexer", MemoryModelKind.Sc, true, ("n", n));

        Assert.Equal(4 * n, reduced.Transitions);
        Assert.Equal(1, reduced.Executions);
    }

    /// <summary>
    /// Who comes second takes the next slot; both bring the same message, so the table is the same either way.
    /// </summary>
    [Theory]
    [InlineData(12)]
    [InlineData(15)]
    public void Indexer_fills_the_table_in_one_way(int n)
        => Assert.Equal(1, FinalStates("peer-indexer", MemoryModelKind.Sc, true, ("n", n)));

    /// <summary>Any thread can be the last to hold the lock, and its number is what stays.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Ticket_excludes_and_any_thread_may_be_last(int n)
    {
        Assert.Equal(n, FinalStates("peer-ticket", MemoryModelKind.Sc, true, ("n", n)));
        Assert.Equal("assert", BugIn("peer-ticket", ("n", n)));
    }

    /// <summary>Readers leave no trace; the last writer's number stays in both halves.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 3)]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    public void Seqlock_readers_never_see_two_writers(int w, int r)
    {
        Assert.Equal(w, FinalStates("peer-seqlock", MemoryModelKind.Sc, true, ("w", w), ("r", r)));
        Assert.Equal("assert", BugIn("peer-seqlock", ("w", w), ("r", r)));
    }

    /// <summary>
    /// One node: it is pushed at the first attempt, and was popped at the end or not: 2. Two nodes and one pop, up to
    /// exchanging the nodes: no pop; a pop of the upper node; a pop between the two pushes; a push that fails because
    /// of the other push, and again because of the pop, and is given up with its link written. The four differ in top
    /// or links: 8.
    /// </summary>
    [Theory]
    [InlineData(1, 1, 2)]
    [InlineData(1, 2, 2)]
    [InlineData(2, 1, 8)]
    public void Treiber_ends_in_the_stacks_that_its_orders_allow(int w, int r, int stacks)
    {
        Assert.Equal(stacks, FinalStates("peer-treiber", MemoryModelKind.Sc, true, ("w", w), ("r", r)));
        Assert.Equal("assert", BugIn("peer-treiber", ("w", w), ("r", r)));
    }

    /// <summary>
    /// With the fix every run ends the same: the entry clear, the page gone, all TLBs empty, because who clears the
    /// entry flushes after it and nothing is filled any more; and nothing pending, because the first MADV_DONTNEED
    /// after reclaim sees to it.
    /// </summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 2)]
    public void Tlbrace_is_found_and_its_fix_ends_in_one_way(int c, int z)
    {
        Assert.Equal("assert", BugIn("peer-tlbrace", ("c", c), ("z", z)));
        Assert.Equal(1, FinalStates("peer-tlbrace", MemoryModelKind.Sc, true, ("c", c), ("z", z)));
    }

    /// <summary>
    /// Where the C tools count outcomes, the number of final states at the size of the comparison is theirs.
    /// </summary>
    [Theory]
    [InlineData("peer-sb", 14, 16_383)]
    [InlineData("peer-readers", 13, 8_192)]
    public void Outcomes_at_the_size_of_the_comparison(string id, int n, int outcomes)
    {
        Assert.Equal(outcomes, FinalStates(id, MemoryModelKind.Sc, true, ("n", n), ("keep", 1)));

        // As in C, with the loaded values dropped, only the stores are left, and they end the same in every order.
        Assert.Equal(1, FinalStates(id, MemoryModelKind.Sc, true, ("n", n)));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Every_program_has_its_expected_verdicts_at_its_default_size(string id)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        foreach (MemoryModelKind model in Enum.GetValues<MemoryModelKind>())
        {
            foreach (Variant variant in scenario.Variants)
            {
                ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, variant, model);
                CheckReport report = ScenarioCheck.Run(scenario, setup, new CheckOptions());
                Assert.True(report.Expected == report.Verdict, $"{id} {variant} {model}: {report.Verdict} {report.Reason}");
                Assert.Contains(report.Coverage, judged => judged.PropertyId == scenario.Property && judged.TimesExercised > 0);
            }
        }
    }

    /// <summary>The reduction loses no final state, and x86-tso adds to those of sc.</summary>
    [Theory]
    [InlineData("peer-sb", "n", 4)]
    [InlineData("peer-ninc", "n", 3)]
    [InlineData("peer-ainc", "n", 4)]
    [InlineData("peer-readers", "n", 4)]
    [InlineData("peer-lastzero", "n", 3)]
    [InlineData("peer-indexer", "n", 3)]
    [InlineData("peer-ticket", "n", 3)]
    [InlineData("peer-seqlock", "r", 1)]
    [InlineData("peer-treiber", "w", 2)]
    [InlineData("peer-tlbrace", "c", 1)]
    public void Reduction_keeps_all_final_states_and_tso_has_those_of_sc(string id, string bound, int value)
    {
        bool keeps = ScenarioList.Find(id)!.Parameters.Any(parameter => parameter.Name == "keep");
        (string Name, int Value)[] bounds = keeps ? [(bound, value), ("keep", 1)] : [(bound, value)];
        IReadOnlySet<UInt128> sc = Explore(id, MemoryModelKind.Sc, false, bounds).FinalStates;
        IReadOnlySet<UInt128> tso = Explore(id, MemoryModelKind.X86Tso, false, bounds).FinalStates;

        Assert.Equal(sc.Order(), Explore(id, MemoryModelKind.Sc, true, bounds).FinalStates.Order());
        Assert.Equal(tso.Order(), Explore(id, MemoryModelKind.X86Tso, true, bounds).FinalStates.Order());
        Assert.Subset(tso.ToHashSet(), sc.ToHashSet());
    }

    /// <summary>Explores the correct program, which must pass, and counts its final states in two ways.</summary>
    private static int FinalStates(
        string id, MemoryModelKind model, bool reduction, params (string Name, int Value)[] bounds)
    {
        ExplorationResult result = Explore(id, model, reduction, bounds);
        Assert.Null(result.Violation);
        Assert.Null(result.Incomplete);
        Assert.Equal(result.Executions, result.FinalStates.Count);
        return result.FinalStates.Count;
    }

    /// <summary>The property that the bug variant violates.</summary>
    private static string? BugIn(string id, params (string Name, int Value)[] bounds)
        => Explore(id, Variant.Bug, MemoryModelKind.Sc, true, bounds).Violation?.PropertyId;

    private static ExplorationResult Explore(
        string id, MemoryModelKind model, bool reduction, params (string Name, int Value)[] bounds)
        => Explore(id, Variant.Fix, model, reduction, bounds);

    private static ExplorationResult Explore(
        string id, Variant variant, MemoryModelKind model, bool reduction, params (string Name, int Value)[] bounds)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        CheckModel built = scenario.Build(ScenarioDefaults.SetupOf(scenario, variant, model, bounds));
        return Explorer.Explore(built, new CheckOptions { Workers = 1, Reduction = reduction, CollectFinalStates = true });
    }
}
