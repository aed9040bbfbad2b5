using System.Net;

namespace Shootdown.Report;

/// <summary>What the HTML pages have in common: one style, light and dark, and tables. Pages need nothing else: no script, no font, no file.</summary>
internal static class HtmlPage
{
    /// <summary>The style; pictures use its classes.</summary>
    public const string Style = """
        :root { --ink: #1c2128; --dim: #5b6570; --line: #d5dae0; --ground: #fff; --sent: #2f6fb3; --received: #c4512d; --none: #f1f3f5 }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e4e8ec; --dim: #98a2ad; --line: #39424c; --ground: #14181d; --sent: #6aa7e8; --received: #ef8a63; --none: #1f252c }
        }
        body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 1040px; margin: 2rem auto; padding: 0 1rem }
        h1 { font-size: 1.35rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem } p { margin: .3rem 0 } .dim { color: var(--dim) }
        svg { max-width: 100%; height: auto; display: block } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
        th, td { text-align: right; padding: .18rem .8rem; border-bottom: 1px solid var(--line); font-weight: normal } th { color: var(--dim) }
        th:first-child, td:first-child { text-align: left; padding-left: 0 }
        .label, .small, .onheat { font: 12px system-ui, sans-serif; fill: var(--ink) } .small { font-size: 11px; fill: var(--dim) } .onheat { fill: #fff }
        .sent { fill: var(--sent) } .received, .heat { fill: var(--received) } .none { fill: var(--none) } .axis { stroke: var(--line) }
        .curve { fill: none !important; stroke-width: 1.8 }
        .c0 { fill: #2f6fb3; stroke: #2f6fb3 } .c1 { fill: #8aa4bd; stroke: #8aa4bd } .c2 { fill: #7a6a4f; stroke: #7a6a4f }
        .c3 { fill: #c4512d; stroke: #c4512d } .c4 { fill: #e3a23c; stroke: #e3a23c } .c5 { fill: #5a8f3c; stroke: #5a8f3c }
        .c6 { fill: #a3b53a; stroke: #a3b53a } .c7 { fill: #8e5bb5; stroke: #8e5bb5 } .c8 { fill: #d479b2; stroke: #d479b2 }
        .c9 { fill: #2aa198; stroke: #2aa198 } .c10 { fill: #b58900; stroke: #b58900 } .c11 { fill: #6c6c70; stroke: #6c6c70 }
        .key { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 .9em }
        .warn { border-left: 4px solid var(--received); padding: .2rem .8rem; margin: 1rem 0 }
        """;

    /// <summary>Number of classes c0, c1, ... for series.</summary>
    public const int Colours = 12;

    /// <summary>Begins a page.</summary>
    public static void Begin(TextWriter writer, string title)
    {
        string name = WebUtility.HtmlEncode(title);
        writer.WriteLine("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">");
        writer.WriteLine($"<title>{name}</title>\n<style>\n{Style}\n</style></head><body>");
        writer.WriteLine($"<h1>{name}</h1>");
    }

    /// <summary>Ends a page.</summary>
    public static void End(TextWriter writer) => writer.WriteLine("</body></html>");

    /// <summary>Writes a table; its cells are encoded here.</summary>
    public static void Table(TextWriter writer, string[] heads, IEnumerable<string[]> rows)
    {
        writer.WriteLine("<table><tr>" + string.Concat(heads.Select(head => $"<th>{head}</th>")) + "</tr>");
        foreach (string[] row in rows)
        {
            writer.WriteLine("<tr>" + string.Concat(row.Select(cell => $"<td>{WebUtility.HtmlEncode(cell)}</td>")) + "</tr>");
        }

        writer.WriteLine("</table>");
    }
}
