using System.Globalization;
using System.Net;
using System.Text;

namespace Shootdown.Report;

/// <summary>Draws a picture as inline SVG. Lengths are in CSS pixels; colours are classes of the page's style.</summary>
internal sealed class Svg(double width, double height)
{
    private readonly StringBuilder _body = new();

    /// <summary>Adds a rectangle; <paramref name="tip"/> is shown by the browser when the mouse rests on it.</summary>
    public void Rectangle(double x, double y, double w, double h, string style, string tip = "", double opacity = 1)
    {
        string shown = opacity < 1 ? Invariant($" fill-opacity=\"{opacity:0.###}\"") : "";
        string title = tip.Length > 0 ? $"<title>{WebUtility.HtmlEncode(tip)}</title>" : "";
        _body.Append(Invariant($"<rect x=\"{x:0.##}\" y=\"{y:0.##}\" width=\"{w:0.##}\" height=\"{h:0.##}\" class=\"{style}\"")).Append(shown);
        _body.Append(title.Length > 0 ? $">{title}</rect>" : "/>").Append('\n');
    }

    /// <summary>Adds a line.</summary>
    public void Line(double x1, double y1, double x2, double y2)
        => _body.Append(Invariant($"<line x1=\"{x1:0.##}\" y1=\"{y1:0.##}\" x2=\"{x2:0.##}\" y2=\"{y2:0.##}\" class=\"axis\"/>\n"));

    /// <summary>Adds a line through points, and a dot at each of them; <paramref name="tips"/> belong to the dots.</summary>
    public void Curve(IReadOnlyList<(double X, double Y)> points, string style, IReadOnlyList<string> tips)
    {
        _body.Append("<polyline points=\"").AppendJoin(' ', points.Select(point => Invariant($"{point.X:0.##},{point.Y:0.##}")));
        _body.Append($"\" class=\"curve {style}\"/>\n");
        for (int i = 0; i < points.Count; i++)
        {
            _body.Append(Invariant($"<circle cx=\"{points[i].X:0.##}\" cy=\"{points[i].Y:0.##}\" r=\"3\" class=\"{style}\">"))
                .Append($"<title>{WebUtility.HtmlEncode(tips[i])}</title></circle>\n");
        }
    }

    /// <summary>Adds text; <paramref name="anchor"/> is start, middle or end.</summary>
    public void Text(double x, double y, string text, string anchor = "start", string style = "label")
        => _body.Append(Invariant($"<text x=\"{x:0.##}\" y=\"{y:0.##}\" text-anchor=\"{anchor}\" class=\"{style}\">"))
            .Append(WebUtility.HtmlEncode(text)).Append("</text>\n");

    /// <summary>The picture.</summary>
    public override string ToString()
        => Invariant($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:0} {height:0}\" width=\"{width:0}\" height=\"{height:0}\"")
            + $" role=\"img\">\n{_body}</svg>\n";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
