using System.Text.RegularExpressions;
using System.Xml.Linq;
using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Tests.Measure;

/// <summary>The page of <c>measure --html</c>.</summary>
public sealed class MeasureHtmlTests
{
    private static readonly Workload Storm = Workload.Find("munmap-storm")!;

    /// <summary>A curve for every policy and a point for every number of CPUs, in five pictures that are well-formed and need nothing else.</summary>
    [Fact]
    public void Figures_are_drawn_against_cpus()
    {
        string page = Page([2, 4, 8], ["linux-6.12", "latr"]);
        XElement[] pictures = Pictures(page);
        Assert.Equal(5, pictures.Length);
        Assert.All(pictures, picture =>
        {
            XElement[] curves = [.. picture.Descendants().Where(element => element.Name.LocalName == "polyline")];
            Assert.Equal(2, curves.Length);
            Assert.All(curves, curve => Assert.Equal(3, curve.Attribute("points")!.Value.Split(' ').Length));
        });
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    /// <summary>With one number of CPUs there are bars instead.</summary>
    [Fact]
    public void One_number_of_cpus_makes_bars()
    {
        XElement[] pictures = Pictures(Page([4], ["linux-6.12", "latr", "broadcast"]));
        Assert.All(pictures, picture => Assert.Equal(3, picture.Descendants().Count(element => element.Name.LocalName == "rect")));
    }

    private static string Page(int[] cpus, string[] policies)
    {
        Measurement[] runs = [.. policies.SelectMany(policy => cpus.Select(count => Measurement.Run(Storm, FlushPolicy.Find(policy)!, count, 1_000_000)))];
        var writer = new StringWriter();
        MeasureHtml.Write(Storm, runs, ["seed 1"], writer);
        return writer.ToString();
    }

    private static XElement[] Pictures(string page)
        => [.. Regex.Matches(page, "<svg.*?</svg>", RegexOptions.Singleline).Select(match => XElement.Parse(match.Value))];
}
