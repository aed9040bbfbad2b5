using System.Text.RegularExpressions;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Report;

/// <summary>What the machine and the kernel library call things in reports.</summary>
public sealed partial class ReportedNamesTests
{
    /// <summary>Parts of kernel functions that have a method of their own here.</summary>
    private static readonly string[] NoKernelFunctions =
    [
        "receive_flush", "zap_one_pte", "change_one_pte", "flush", "flush_tlb_func_local", "become_target", "leave_lazy_mode",
        "table_at", "set_flags", "alloc_frame", "user_load", "user_store", "handle_interrupts", "drain_for_ever", "run_callbacks",
    ];

    public static TheoryData<string> Bugs =>
        new(ScenarioList.All.Where(scenario => scenario.Variants.Contains(Variant.Bug)).Select(scenario => scenario.Id));

    [Theory]
    [MemberData(nameof(Bugs))]
    public void A_run_names_kernel_functions_and_values(string id)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        Counterexample run = ScenarioCheck.Run(
            scenario, ScenarioDefaults.SetupOf(scenario, Variant.Bug), new CheckOptions { Workers = 1 }).Counterexample!;
        Assert.DoesNotMatch(StrayComma(), run.Sentence);
        foreach (TraceStep step in run.Steps)
        {
            Assert.Empty(step.CallStack.Intersect(NoKernelFunctions));
            Assert.DoesNotContain(step.CallStack.Zip(step.CallStack.Skip(1)), pair => pair.First == pair.Second);
            Assert.DoesNotMatch(StrayComma(), step.Text);
            Assert.All(step.Notes, note => Assert.DoesNotMatch(StrayComma(), note));
            Assert.InRange(step.Notes.Count(note => note.StartsWith("is ", StringComparison.Ordinal)), 0, 1);
            if (step.Text.Contains("loaded_mm", StringComparison.Ordinal) || step.Text.Contains("cpumask", StringComparison.Ordinal))
            {
                Assert.All([step.Text, .. step.Notes], text => Assert.DoesNotMatch(BareNumber(), text));
            }
        }
    }

    [Theory]
    [InlineData(0, "empty")]
    [InlineData(1, "cpu0")]
    [InlineData(0b11, "cpu0,cpu1")]
    [InlineData(0b1011101, "cpu0,cpu2-4,cpu6")]
    [InlineData(ulong.MaxValue, "cpu0-63")]
    [InlineData(0x8000_0000_0000_0000, "cpu63")]
    public void Sets_of_CPUs_are_lists(ulong mask, string text) => Assert.Equal(text, ValueText.Cpus(mask));

    [GeneratedRegex(@",\s*\)|\(\s*,|,\s*,|\(\)\)")]
    private static partial Regex StrayComma();

    [GeneratedRegex(@"(?:=|is) \d+$")]
    private static partial Regex BareNumber();
}
