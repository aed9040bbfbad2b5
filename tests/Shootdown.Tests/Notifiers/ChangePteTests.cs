using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Notifiers;

/// <summary>What is known about change_pte, beyond the pairs of <see cref="NotifierScenarioTests"/>.</summary>
public sealed class ChangePteTests
{
    /// <summary>With start and end around it there is no entry of the guest that could be changed too late.</summary>
    [Fact]
    public void Inside_a_range_the_order_does_not_matter()
    {
        Assert.Equal(Verdict.Violation, Run("change-pte-order", Variant.Bug, ("range", 0)).Verdict);
        Assert.Equal(Verdict.Pass, Run("change-pte-order", Variant.Bug, ("range", 1)).Verdict);
        Assert.Equal(Verdict.Pass, Run("change-pte-order", Variant.Fix, ("range", 1)).Verdict);
    }

    /// <summary>Both remedies of a fault under way: a count in change_pte, and an invalidation around it.</summary>
    [Theory]
    [InlineData("change-pte-uncounted", "range")]
    [InlineData("change-pte-maps", "form")]
    [InlineData("change-pte-in-vain", "alone")]
    public void Each_fix_passes(string id, string bound)
    {
        foreach (int value in new[] { 0, 1 })
        {
            CheckReport report = Run(id, Variant.Fix, (bound, value));
            Assert.Equal((Verdict.Pass, true), (report.Verdict, report.Stats.Exhaustive));
        }
    }

    /// <summary>arm64's form maps the page between the start of MADV_DONTNEED and its clearing; the guest reads it when it is free.</summary>
    [Fact]
    public void A_page_mapped_within_anothers_range_outlives_it()
    {
        Counterexample run = Run("change-pte-maps", Variant.Bug).Counterexample!;
        Assert.EndsWith("through the stale spte of 0x1000 after the frame was freed.", run.Sentence, StringComparison.Ordinal);
        string[] order = ["zap_spte(", "set_spte(", "free_pages_and_swap_cache(", "madvise() returns", "load 0x1000"];
        int[] places = [.. order.Select(text => run.Steps.ToList().FindIndex(step => step.Text.StartsWith(text, StringComparison.Ordinal)))];
        Assert.DoesNotContain(-1, places);
        Assert.Equal(places.Order(), places);
    }

    /// <summary>
    /// GRU has no change_pte. As long as nothing surrounded the merge of KSM it was told of the page instead; without that it keeps the old one.
    /// </summary>
    [Theory]
    [InlineData(true, Verdict.Pass)]
    [InlineData(false, Verdict.Violation)]
    public void Who_has_no_change_pte_is_told_of_the_page(bool fallsBack, Verdict expected)
    {
        KernelParts parts = ChangePteParts.Alone with { MmuNotifier = kernel => new ChangePteNotifier(kernel, fallsBack) };
        CheckReport report = Checker.Check(
            new CheckSubject("ksm beside gru", string.Empty, string.Empty, "fix", null, []), () => MergeBesideGru(parts), new CheckOptions { Workers = 1 });
        Assert.Equal(expected, report.Verdict);
        Assert.Equal(expected == Verdict.Pass ? null : "P-life", report.Counterexample?.PropertyId);
    }

    private static CheckModel MergeBesideGru(KernelParts parts)
    {
        var options = new MachineOptions { Cpus = 2, EntriesPerTable = 1, Frames = 4, FrameColours = 1 };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, parts, new KernelOptions { AnonFolios = true });
        (KernelModel kernel, Mm mm) = stage;
        kernel.Machine.Paging.BuildFrame(1);
        kernel.Machine.SetInitial(kernel.Folios[1].Frame.RefCount.Address, 1);
        var gru = new Gru(kernel, mm, sleeps: false);
        gru.Mmu.BuildSpte(0, 0, write: false);
        stage.AddKernelThread(0, "ksmd", () => Merge(kernel, stage.Cpu(0), mm));
        stage.AddThread(1, "gru", () => LoadByDevice(gru, stage.Cpu(1)));
        return new CheckModel(stage.Machine, [new PLife(), new PSecondary(), new Assertions()], ["P-life"]);
    }

    private static async Proc Merge(KernelModel kernel, Cpu cpu, Mm mm)
    {
        if (await cpu.FrameTryGet(0, "follow_page") != 0)
        {
            await kernel.Ksm.TryToMergeWithKsmPage(cpu, mm, 0, 0, 1);
            await cpu.PutFrames(1, "put_page");
        }
    }

    private static async Proc LoadByDevice(Gru gru, Cpu cpu) => await gru.DeviceLoad(cpu, 0);

    private static CheckReport Run(string id, Variant variant, params ReadOnlySpan<(string Name, int Value)> bounds)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        return ScenarioCheck.Run(
            scenario, ScenarioDefaults.SetupOf(scenario, variant, scenario.Model, bounds), new CheckOptions { Workers = 1, MinimiserStatesMax = 20_000 });
    }
}
