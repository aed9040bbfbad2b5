using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;

namespace Shootdown.Analyzers.Tests;

/// <summary>Compiles a sample and holds what one rule reports against the marks in it.</summary>
/// <typeparam name="TAnalyzer">The rule.</typeparam>
public abstract class RuleTest<TAnalyzer>
    where TAnalyzer : DiagnosticAnalyzer, new()
{
    /// <summary>Checks members of a static class; returns the messages in source order.</summary>
    protected static Task<IReadOnlyList<string>> CheckMembers(string members)
        => CheckTypes($$"""
            static class Sample
            {
            {{members}}
            }
            """);

    /// <summary>Checks type declarations; returns the messages in source order.</summary>
    protected static async Task<IReadOnlyList<string>> CheckTypes(string types)
    {
        Marked sample = Marked.Parse(types);
        ImmutableArray<Diagnostic> found = await Compiler.Analyze(sample.Source, new TAnalyzer());
        IEnumerable<string> reported = found.Select(diagnostic => Text(sample.Source, diagnostic.Location.SourceSpan));
        IEnumerable<string> expected = sample.Spans.Select(span => Text(sample.Source, span));
        Assert.Equal(expected, reported);
        return [.. found.Select(diagnostic => diagnostic.GetMessage(null))];
    }

    private static string Text(string source, TextSpan span) => $"{span.Start}: {source.Substring(span.Start, span.Length)}";
}
