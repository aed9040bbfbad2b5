using System.Text;
using Microsoft.CodeAnalysis.Text;

namespace Shootdown.Analyzers.Tests;

/// <summary>A sample in which <c>[|</c> and <c>|]</c> enclose every place that a rule must report.</summary>
/// <param name="Source">The sample without the marks.</param>
/// <param name="Spans">The enclosed places, in order.</param>
internal sealed record Marked(string Source, IReadOnlyList<TextSpan> Spans)
{
    private const string Open = "[|";
    private const string Close = "|]";

    public static Marked Parse(string text)
    {
        var source = new StringBuilder();
        var spans = new List<TextSpan>();
        int position = 0;
        while (text.IndexOf(Open, position, StringComparison.Ordinal) is >= 0 and var open)
        {
            int close = text.IndexOf(Close, open, StringComparison.Ordinal);
            Assert.True(close > open, "an opening mark has no closing mark");
            source.Append(text, position, open - position);
            int start = source.Length;
            source.Append(text, open + Open.Length, close - open - Open.Length);
            spans.Add(TextSpan.FromBounds(start, source.Length));
            position = close + Close.Length;
        }

        source.Append(text, position, text.Length - position);
        return new Marked(source.ToString(), spans);
    }
}
