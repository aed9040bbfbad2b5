using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>SHOOT006: the object whose methods are kernel code does not change.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class MutableFieldAnalyzer : KernelAnalyzer
{
    private static readonly DiagnosticDescriptor Descriptor = Error(
        "SHOOT006",
        "A type with kernel methods has mutable state",
        "{0} has kernel code that uses 'this', and the {1}, {2}",
        "The frame of an instance method refers to 'this', and copying the frame does not copy that object: all "
        + "snapshots share its fields. Make them readonly and of immutable types, and keep what changes in words of the "
        + "machine. A parameter of a primary constructor that methods use is a field, too.");

    /// <summary>Creates the rule.</summary>
    public MutableFieldAnalyzer()
        : base(Descriptor)
    {
    }

    private protected override void Register(CompilationStartAnalysisContext start, KernelTypes types)
        => start.RegisterSymbolStartAction(symbol => RegisterType(symbol, types), SymbolKind.NamedType);

    private void RegisterType(SymbolStartAnalysisContext start, KernelTypes types)
    {
        var type = (INamedTypeSymbol)start.Symbol;
        int framesKeepThis = 0;
        start.RegisterOperationBlockAction(block =>
        {
            if (SymbolEqualityComparer.Default.Equals(block.OwningSymbol.ContainingType, type)
                && KernelFunction.In(block, types).Any(function => KeepsThis(function, block.OwningSymbol)))
            {
                Interlocked.Exchange(ref framesKeepThis, 1);
            }
        });
        start.RegisterSymbolEndAction(end =>
        {
            if (Volatile.Read(ref framesKeepThis) != 0)
            {
                ReportFields(end, type, types);
            }
        });
    }

    private static bool KeepsThis(KernelFunction function, ISymbol owner)
        => SymbolEqualityComparer.Default.Equals(function.Symbol, owner)
            ? !owner.IsStatic
            : function.OperationsWithHelpers().Any(operation => operation
                is IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance });

    private void ReportFields(SymbolAnalysisContext end, INamedTypeSymbol type, KernelTypes types)
    {
        for (INamedTypeSymbol? level = type; level is { SpecialType: SpecialType.None }; level = level.BaseType)
        {
            foreach (IFieldSymbol field in level.GetMembers().OfType<IFieldSymbol>().Where(field => !field.IsStatic))
            {
                if (Mutability.CanChange(field))
                {
                    Report(end, type, field, "which can change; make it readonly, or keep it in a machine word");
                }
                else if (!types.IsHandle(level) && types.Mutability.WhyShared(field.Type) is { } why)
                {
                    Report(end, type, field, $"of type {Mutability.Name(field.Type)}, which {why}");
                }
            }
        }
    }

    private void Report(SymbolAnalysisContext end, INamedTypeSymbol type, IFieldSymbol field, string why)
    {
        ISymbol place = field.AssociatedSymbol ?? field;
        Location location = place.Locations.FirstOrDefault(candidate => candidate.IsInSource) ?? type.Locations[0];
        end.ReportDiagnostic(Diagnostic.Create(Rule, location, type.Name, Mutability.Describe(field), why));
    }
}
