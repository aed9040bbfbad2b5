using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Costs;

/// <summary>Programs so small that what each of their runs costs can be written down.</summary>
public sealed class CostCounterTests
{
    /// <summary>
    /// One CPU takes the right to write from page 0 and invalidates pages 0 and 1 one by one; then it loads a word and does the same
    /// again: two flushes page by page, four pages, and the second flush finds nothing that differs from the tables.
    /// </summary>
    [Fact]
    public void Second_flush_of_a_range_is_redundant()
    {
        CostRow run = Cost(1, (machine, x) => machine.AddTask(
            machine.Cpus[0], "mprotect", () => ProtectAndFlushTwice(machine.Cpus[0], Table(machine), x)));
        Assert.Equal(new CostRange(2, 2), run[CostKind.PartialFlushes]);
        Assert.Equal(new CostRange(4, 4), run[CostKind.Entries]);
        Assert.Equal(new CostRange(0, 0), run[CostKind.FullFlushes]);
        Assert.Equal(new CostRange(1, 1), run[CostKind.Redundant]);
    }

    /// <summary>A flush of the page beside the one that changed is redundant; a full one is not.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(-1, 0)]
    public void Flush_must_meet_what_changed(int page, int redundant)
    {
        CostRow run = Cost(1, (machine, _) => machine.AddTask(machine.Cpus[0], "zap", () => ClearAndFlush(machine.Cpus[0], Table(machine), page)));
        Assert.Equal(new CostRange(redundant, redundant), run[CostKind.Redundant]);
        Assert.Equal(new CostRange(page < 0 ? 1 : 0, page < 0 ? 1 : 0), run[CostKind.FullFlushes]);
    }

    /// <summary>
    /// CPU0 raises x, then asks CPU1 and CPU2 to flush. CPU1 reads x and flushes by itself only if it is raised: 2 or 3 full
    /// flushes, of which none is of use, because no entry ever changes.
    /// </summary>
    [Fact]
    public void What_a_run_costs_depends_on_its_order()
    {
        CostRow run = Cost(3, (machine, x) =>
        {
            int function = machine.Interrupts.RegisterFunction("flush", static (cpu, _) => Flush(cpu));
            machine.AddTask(machine.Cpus[0], "sender", () => RaiseAndCall(machine.Cpus[0], x, function));
            machine.AddTask(machine.Cpus[1], "looker", () => FlushIfRaised(machine.Cpus[1], x));
        });
        Assert.Equal(new CostRange(2, 2), run[CostKind.IpisSent]);
        Assert.Equal(new CostRange(2, 2), run[CostKind.IpisReceived]);
        Assert.Equal(new CostRange(2, 3), run[CostKind.FullFlushes]);
        Assert.Equal(new CostRange(2, 3), run[CostKind.Redundant]);
    }

    /// <summary>The same, charged to who caused it: the handlers' flushes to the sender, the receipt of an IPI to its target.</summary>
    [Fact]
    public void Handlers_are_charged_to_the_sender()
    {
        CostReport report = Report(3, byOperation: true, (machine, x) =>
        {
            int function = machine.Interrupts.RegisterFunction("flush", static (cpu, _) => Flush(cpu));
            machine.AddTask(machine.Cpus[0], "sender", () => RaiseAndCall(machine.Cpus[0], x, function));
            machine.AddTask(machine.Cpus[1], "looker", () => FlushIfRaised(machine.Cpus[1], x));
        });
        Assert.Equal(("sender", new CostRange(2, 2)), (report.Of(0)!.Operation, report.Of(0)![CostKind.FullFlushes]));
        Assert.Equal(("looker", new CostRange(0, 1)), (report.Of(1)!.Operation, report.Of(1)![CostKind.FullFlushes]));
        Assert.Equal(new CostRange(2, 3), report.Run![CostKind.FullFlushes]);
        Assert.Equal(new CostRange(0, 0), report.Of(0)![CostKind.IpisReceived]);
        Assert.Equal(new CostRange(1, 1), report.Of(2)![CostKind.IpisReceived]);
    }

    /// <summary>
    /// CPU0 clears page 0 and has CPU1 flush it; CPU1 flushes the page itself at any time. One of the two flushes of CPU1 comes first
    /// behind the change and is of use; the other is not: before the change there is nothing to drop, after the first flush
    /// there is nothing left.
    /// </summary>
    [Fact]
    public void Of_two_flushes_exactly_one_is_of_use()
    {
        CostRow run = Cost(2, (machine, _) =>
        {
            int function = machine.Interrupts.RegisterFunction("flush", static (cpu, _) => Flush(cpu));
            machine.AddTask(machine.Cpus[0], "zap", () => ClearAndCall(machine.Cpus[0], Table(machine), function));
            machine.AddTask(machine.Cpus[1], "flusher", () => Flush(machine.Cpus[1]));
        });
        Assert.Equal(new CostRange(2, 2), run[CostKind.FullFlushes]);
        Assert.Equal(new CostRange(1, 1), run[CostKind.Redundant]);
    }

    /// <summary>Calls are counted by name: also of functions that do nothing, and of the program itself.</summary>
    [Fact]
    public void Calls_are_counted_by_name()
    {
        CostReport report = Report(
            2,
            byOperation: false,
            (machine, x) =>
            {
                machine.AddTask(machine.Cpus[0], "caller", () => CallTwice(machine.Cpus[0], x));
                machine.AddTask(machine.Cpus[1], "raiser", () => Raise(machine.Cpus[1], x));
            },
            "flush_cache_range",
            "call_twice",
            "free_pgd_range");
        Assert.Equal(new CostRange(1, 2), report.Run!.Calls["flush_cache_range"]);
        Assert.Equal(new CostRange(1, 1), report.Run.Calls["call_twice"]);
        Assert.Equal(new CostRange(0, 0), report.Run.Calls["free_pgd_range"]);
    }

    [Fact]
    public void Costs_need_the_lagging_TLB()
    {
        var machine = new MachineModel(Small(1) with { Tlb = TlbKind.Explicit });
        ProcRuleException refused = Assert.Throws<ProcRuleException>(() => new CheckModel(machine, [new PCost()]));
        Assert.Contains("lagging TLB", refused.Message, StringComparison.Ordinal);
    }

    private static CostRow Cost(int cpus, Action<MachineModel, Word> build) => Report(cpus, false, build).Run!;

    private static CostReport Report(int cpus, bool byOperation, Action<MachineModel, Word> build, params string[] functions)
    {
        CostReport? fast = null;
        foreach (bool reduction in new[] { false, true })
        {
            var machine = new MachineModel(Small(cpus));
            AddressSpace space = machine.Paging.NewAddressSpace("mm");
            Word x = machine.NewWord("x");
            foreach (Cpu cpu in machine.Cpus)
            {
                machine.Paging.BuildLoadedRoot(cpu, space, 0);
            }

            machine.Paging.BuildMapping(space, 0, Pte.Leaf(0, true));
            machine.Paging.BuildMapping(space, 1, Pte.Leaf(1, true));
            build(machine, x);
            var model = new CheckModel(machine, [new PCost(byOperation, functions)]);
            ExplorationResult result = Explorer.Explore(model, new CheckOptions { Workers = 1, Reduction = reduction });
            Assert.Null(result.Violation);
            Assert.True(result.Judgements[0] > 0);
            Assert.True(fast is null || SameCosts(fast, result.Costs!), "reduction changed what is counted");
            fast = result.Costs!;
        }

        return fast!;
    }

    internal static bool SameCosts(CostReport left, CostReport right)
        => left.Rows.Count == right.Rows.Count && left.Rows.Zip(right.Rows).All(pair =>
            pair.First.Kinds.SequenceEqual(pair.Second.Kinds) && pair.First.Calls.All(call => pair.Second.Calls[call.Key] == call.Value));

    private static MachineOptions Small(int cpus) => new() { Cpus = cpus, EntriesPerTable = 2, Frames = 2, Levels = 1, Tables = 1 };

    private static PageTable Table(MachineModel machine) => new(machine.Paging.Spaces[0].RootTable, 0, 0);

    private static async Proc ProtectAndFlushTwice(Cpu cpu, PageTable table, Word x)
    {
        await cpu.EntryClearBits(table, 0, Pte.WriteBit, "ptep_set_wrprotect");
        await cpu.Invlpg(0);
        await cpu.Invlpg(1);
        await cpu.Load(x);
        await cpu.Invlpg(0);
        await cpu.Invlpg(1);
    }

    private static async Proc ClearAndFlush(Cpu cpu, PageTable table, int page)
    {
        await cpu.EntryExchange(table, 0, Pte.None, "ptep_get_and_clear");
        if (page < 0)
        {
            await cpu.FlushTlbLocal();
        }
        else
        {
            await cpu.Invlpg(page);
        }
    }

    private static async Proc ClearAndCall(Cpu cpu, PageTable table, int function)
    {
        await cpu.EntryExchange(table, 0, Pte.None, "ptep_get_and_clear");
        await cpu.SendIpi(2, function);
        await cpu.AwaitIpiAcknowledgements();
    }

    private static async Proc RaiseAndCall(Cpu cpu, Word x, int function)
    {
        await cpu.Store(x, 1);
        await cpu.SendIpi(6, function);
        await cpu.AwaitIpiAcknowledgements();
    }

    private static async Proc FlushIfRaised(Cpu cpu, Word x)
    {
        if (await cpu.Load(x) != 0)
        {
            await cpu.FlushTlbLocal();
        }
    }

    private static async Proc Flush(Cpu cpu) => await cpu.FlushTlbLocal();

    private static async Proc Raise(Cpu cpu, Word x) => await cpu.Store(x, 1);

    private static async Proc CallTwice(Cpu cpu, Word x)
    {
        await FlushCacheRange();
        if (await cpu.Load(x) != 0)
        {
            await FlushCacheRange();
        }
    }

#pragma warning disable CS1998 // x86 has nothing to do here
    private static async Proc FlushCacheRange()
    {
    }
#pragma warning restore CS1998
}
