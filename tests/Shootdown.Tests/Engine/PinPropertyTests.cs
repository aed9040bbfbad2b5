using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>P-pin by hand: one CPU looks a page up, another one replaces it, in ways that are right and wrong.</summary>
public sealed class PinPropertyTests
{
    [Fact]
    public void A_page_that_was_not_mapped_during_the_call_must_not_be_returned()
    {
        Counterexample? run = Check(Lookup.OfFrameOne, replaces: false, givesUp: false).Counterexample;
        Assert.Equal(
            "pin_user_pages_fast() returns frame 1, which 0x1000 did not map for writing at any time during the call.", run?.Sentence);
    }

    [Fact]
    public void A_pinned_page_must_stay_what_the_address_maps()
    {
        Counterexample? run = Check(Lookup.OfFrameZero, replaces: true, givesUp: false).Counterexample;
        Assert.Equal("P-pin", run?.PropertyId);
        Assert.StartsWith("0x1000 maps frame 1, but frame 0, which pin_user_pages_fast() returned, is still pinned", run!.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void The_process_itself_may_give_the_address_up()
        => Assert.Equal(Verdict.Pass, Check(Lookup.OfFrameZero, replaces: true, givesUp: true).Verdict);

    [Fact]
    public void A_pin_that_has_been_dropped_binds_nobody()
        => Assert.Equal(Verdict.Pass, Check(Lookup.Dropped, replaces: true, givesUp: false).Verdict);

    /// <summary>Reduction, symmetry of orders and the TLB's representation change no verdict of programs that pin pages or count their references.</summary>
    [Theory]
    [InlineData("gup-fast-vs-collapse")]
    [InlineData("gup-fast-vs-collapse-table-reuse")]
    [InlineData("hugetlb-unshare-no-flush")]
    [InlineData("anon-exclusive-vs-gup-fast")]
    [InlineData("fork-vs-pin-seqcount")]
    [InlineData("cow-family")]
    [InlineData("ksm-drops-uffd-wp")]
    [InlineData("ksm-drops-soft-dirty")]
    [InlineData("clear-refs-migration")]
    [InlineData("ksm-vs-gup-fast")]
    [InlineData("odirect-vs-fork")]
    public void Shortcuts_change_no_verdict(string id)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        foreach (Variant variant in scenario.Variants)
        {
            ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, variant);
            CheckReport plain = ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = 1 });
            CheckReport slow = ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = 1, Reduction = false, MinimiserStatesMax = 0 });
            CheckReport explicitTlb = ScenarioCheck.Run(
                scenario, setup with { Tlb = TlbKind.Explicit }, new CheckOptions { Workers = 1, MinimiserStatesMax = 0 });
            Assert.Equal(variant == Variant.Bug ? Verdict.Violation : Verdict.Pass, plain.Verdict);
            Assert.Equal((plain.Verdict, plain.Verdict), (slow.Verdict, explicitTlb.Verdict));
            Assert.Equal(variant == Variant.Bug ? scenario.Property : null, plain.Counterexample?.PropertyId);
        }
    }

    /// <summary>Without any fence between entry and pins store buffers break the protocol; under sc nothing does.</summary>
    [Fact]
    public void A_plain_store_needs_store_buffers_to_go_wrong()
    {
        Scenario scenario = ScenarioList.Find("anon-exclusive-vs-gup-fast")!;
        Verdict Under(MemoryModelKind model) => ScenarioCheck.Run(
            scenario, ScenarioDefaults.SetupOf(scenario, Variant.Bug, model, ("order", 2)), new CheckOptions { Workers = 1 }).Verdict;
        Assert.Equal((Verdict.Pass, Verdict.Violation), (Under(MemoryModelKind.Sc), Under(MemoryModelKind.X86Tso)));
    }

    private static CheckReport Check(Lookup lookup, bool replaces, bool givesUp) => Checker.Check(
        new CheckSubject("pin", string.Empty, string.Empty, "fix", null, []), () => Build(lookup, replaces, givesUp), new CheckOptions { Workers = 1 });

    private static CheckModel Build(Lookup lookup, bool replaces, bool givesUp)
    {
        var options = new MachineOptions { Cpus = 2, EntriesPerTable = 1, Frames = 2 };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true);
        var request = new PinRequest(
            stage.Machine, stage.Cpu(0), stage.Mm.Space, 0, write: true, force: false, staysMapped: true, "pin_user_pages_fast()");
        Promise promise = stage.Promise(1, 1, PromiseKind.Removed, "munmap()");
        Word done = stage.Machine.NewWord("done");
        stage.AddThread(0, "device", () => Pin(stage.Cpu(0), request, lookup, done));
        stage.AddThread(1, "replace", () => Replace(stage, replaces, givesUp ? promise : null, done));
        return new CheckModel(stage.Machine, [new PPin()]);
    }

    private static async Proc Pin(Cpu cpu, PinRequest request, Lookup lookup, Word done)
    {
        await cpu.BeginPin(request);
        await cpu.FrameTryPin(0);
        await cpu.ReturnPin(request, lookup == Lookup.OfFrameOne ? 1 : 0);
        if (lookup == Lookup.Dropped)
        {
            await cpu.Unpin(0, request, true, "unpin_user_page");
        }

        await cpu.Store(done, 1);
    }

    private static async Proc Replace(Stage stage, bool replaces, Promise? promise, Word done)
    {
        (KernelModel kernel, Mm mm) = stage;
        Cpu cpu = stage.Cpu(1);
        await cpu.WaitUntil(done, Condition.Equal, 1);
        if (promise is not null)
        {
            await cpu.BeginPromise(promise);
        }

        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, 0);
        if (replaces)
        {
            await kernel.PteOps.PtepClearFlush(cpu, mm, table, 0);
            await kernel.PteOps.SetPteAt(cpu, table, 0, Pte.Leaf(1, write: true));
        }

        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        if (promise is not null)
        {
            await cpu.ReturnPromise(promise);
        }
    }

    private enum Lookup
    {
        OfFrameZero,
        OfFrameOne,
        Dropped,
    }
}
