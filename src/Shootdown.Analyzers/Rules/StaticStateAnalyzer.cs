using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>SHOOT002: kernel code uses no static state that can change.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class StaticStateAnalyzer : KernelAnalyzer
{
    private static readonly DiagnosticDescriptor Descriptor = Error(
        "SHOOT002",
        "Kernel code uses static mutable state",
        "Kernel code uses the static '{0}', which {1}",
        "A static variable belongs to no machine: all snapshots, all explored executions and all worker threads share "
        + "it. Keep what changes in words of the machine; make constants const, or static readonly and immutable.");

    /// <summary>Creates the rule.</summary>
    public StaticStateAnalyzer()
        : base(Descriptor)
    {
    }

    private protected override void Analyze(KernelFunctionContext context, KernelFunction function)
    {
        foreach (IOperation operation in function.OperationsWithHelpers())
        {
            if (operation is IMemberReferenceOperation { Member: { IsStatic: true } member }
                && WhyShared(context.Types.Mutability, member) is { } why)
            {
                context.Report(operation.Syntax, member.Name, why);
            }
        }
    }

    private static string? WhyShared(Mutability mutability, ISymbol member)
    {
        switch (member)
        {
            case IFieldSymbol { IsConst: false } field:
                return field.IsReadOnly
                    ? WhyShared(mutability, field.Type)
                    : "can change; keep it in a machine word, or make it const or readonly";
            case IPropertySymbol { SetMethod.IsInitOnly: false, DeclaringSyntaxReferences.Length: > 0 }:
                return "has a setter; keep it in a machine word";
            case IPropertySymbol property when IsStored(property):
                return WhyShared(mutability, property.Type);
            case IEventSymbol:
                return "is an event; kernel code calls what it needs";
            default:
                return null;
        }
    }

    private static string? WhyShared(Mutability mutability, ITypeSymbol type)
        => mutability.WhyShared(type) is { } why ? $"is of type {Mutability.Name(type)}, which {why}" : null;

    private static bool IsStored(IPropertySymbol property)
        => property.ContainingType.GetMembers().OfType<IFieldSymbol>()
            .Any(field => SymbolEqualityComparer.Default.Equals(field.AssociatedSymbol, property));
}
