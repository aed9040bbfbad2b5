using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Shootdown.Analyzers.Tests;

/// <summary>Compiles samples against the stubs of the machine.</summary>
internal static class Compiler
{
    private static readonly CSharpParseOptions ParseOptions = new(LanguageVersion.Latest);

    private static readonly IReadOnlyList<MetadataReference> References = RuntimeAssemblies();

    private static readonly SyntaxTree[] Machine =
    [
        Parse(MachineStubs.GlobalUsings, "GlobalUsings.cs"),
        Parse(MachineStubs.Source, "Machine.cs"),
    ];

    /// <summary>What the rules report in the sample, in source order.</summary>
    public static async Task<ImmutableArray<Diagnostic>> Analyze(string source, params DiagnosticAnalyzer[] rules)
    {
        SyntaxTree tree = Parse(source, "Sample.cs");
        var compilation = CSharpCompilation.Create(
            "Sample",
            [.. Machine, tree],
            References,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));
        Assert.DoesNotContain(compilation.GetDiagnostics(), diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);

        ImmutableArray<Diagnostic> all = await compilation.WithAnalyzers([.. rules])
            .GetAnalyzerDiagnosticsAsync(TestContext.Current.CancellationToken);

        // An analyzer that throws is reported as AD0001, without a place in the sample.
        Assert.All(all, diagnostic => Assert.StartsWith("SHOOT", diagnostic.Id, StringComparison.Ordinal));
        return [.. all.Where(diagnostic => diagnostic.Location.SourceTree == tree)
            .OrderBy(diagnostic => diagnostic.Location.SourceSpan.Start)];
    }

    private static SyntaxTree Parse(string source, string path) => CSharpSyntaxTree.ParseText(source, ParseOptions, path);

    private static IReadOnlyList<MetadataReference> RuntimeAssemblies()
    {
        string folder = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string[] names =
        [
            "System.Collections", "System.Collections.Concurrent", "System.Collections.Immutable", "System.Linq",
            "System.Linq.Expressions", "System.Private.CoreLib", "System.Runtime", "System.Threading",
        ];
        return [.. names.Select(name => MetadataReference.CreateFromFile(Path.Combine(folder, name + ".dll")))];
    }
}
