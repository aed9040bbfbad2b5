using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Shootdown.Analyzers;

/// <summary>What a rule needs while it looks at one member.</summary>
internal readonly struct KernelFunctionContext(
    OperationBlockAnalysisContext block, KernelTypes types, DiagnosticDescriptor rule)
{
    public KernelTypes Types { get; } = types;

    /// <summary>The method, property or field whose code this is.</summary>
    public ISymbol Owner => block.OwningSymbol;

    public void Report(SyntaxNode place, params object[] arguments) => Report(place.GetLocation(), arguments);

    public void Report(Location place, params object[] arguments)
        => block.ReportDiagnostic(Diagnostic.Create(rule, place, arguments));
}
