using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Cli;
using Shootdown.Tests.Report;

namespace Shootdown.Tests.Cli;

public sealed class ProgressPrinterTests
{
    [Fact]
    public void Nothing_for_checks_that_are_over_within_a_second()
        => Assert.Equal(string.Empty, Print(isTerminal: true, "race", 0.2, 0.5, 0.99));

    [Fact]
    public void A_terminal_gets_one_line_that_is_rewritten_and_removed()
    {
        const string First = "race  states 1.0 M  1.0 M/s  depth 100  mem 1 MB  00:01";
        const string Second = "race  states 2.0 M  1.0 M/s  depth 200  mem 2 MB  00:02";
        Assert.Equal($"\r{First}\r{Second}\r{new string(' ', Second.Length)}\r", Print(isTerminal: true, "race", 1, 1.1, 2));
    }

    [Fact]
    public void A_log_gets_a_line_every_five_seconds()
        => Assert.Equal(
            "race  states 5.0 M  1.0 M/s  depth 500  mem 5 MB  00:05\nrace  states 10.0 M  1.0 M/s  depth 1000  mem 10 MB  00:10\n",
            Print(isTerminal: false, "race", 1, 2, 4.9, 5, 6, 7, 8, 9, 10));

    [Fact]
    public void A_label_that_does_not_fit_is_left_out()
        => Assert.StartsWith("\rstates", Print(isTerminal: true, new string('x', 60), 1), StringComparison.Ordinal);

    [Theory]
    [InlineData(true, "check", "B02", "--variant", "bug")]
    [InlineData(false, "check", "B02", "--variant", "bug", "--quiet")]
    [InlineData(false, "check", "B02", "--variant", "bug", "--json")]
    public void Quiet_and_json_show_no_progress(bool expected, params string[] arguments)
    {
        var catalogue = new FakeCatalogue();
        catalogue.Answers[("madv-dontneed-parallel", Variant.Bug)] = options =>
        {
            options.Progress?.Report(At(7));
            return SampleReports.Violation();
        };
        Assert.Equal(expected, catalogue.Run(arguments).Error.Length > 0);
    }

    private static string Print(bool isTerminal, string label, params double[] seconds)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        var printer = new ProgressPrinter(writer, isTerminal, label);
        foreach (double second in seconds)
        {
            printer.Report(At(second));
        }

        printer.Clear();
        return writer.ToString();
    }

    private static CheckProgress At(double second)
        => new("exploring", (long)(second * 1e6), 0, (int)(second * 100), (long)second << 20, second);
}
