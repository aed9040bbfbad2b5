using Shootdown.Catalogue;
using Shootdown.Check;

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

    private static CheckReport Run(string id, Variant variant, params ReadOnlySpan<(string Name, int Value)> bounds)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        return ScenarioCheck.Run(
            scenario, ScenarioDefaults.SetupOf(scenario, variant, scenario.Model, bounds), new CheckOptions { Workers = 1, MinimiserStatesMax = 20_000 });
    }
}
