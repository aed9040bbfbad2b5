using Microsoft.CodeAnalysis;

namespace Shootdown.Analyzers;

/// <summary>The machine's types that make code kernel code, as one compilation sees them.</summary>
internal sealed class KernelTypes
{
    private readonly INamedTypeSymbol _proc;
    private readonly INamedTypeSymbol? _procOfT;
    private readonly INamedTypeSymbol? _op;
    private readonly INamedTypeSymbol? _opOfT;
    private readonly INamedTypeSymbol? _handleAttribute;

    private KernelTypes(INamedTypeSymbol proc, Compilation compilation)
    {
        _proc = proc;
        _procOfT = compilation.GetTypeByMetadataName("Shootdown.Machine.Proc`1");
        _op = compilation.GetTypeByMetadataName("Shootdown.Machine.Op");
        _opOfT = compilation.GetTypeByMetadataName("Shootdown.Machine.Op`1");
        _handleAttribute = compilation.GetTypeByMetadataName("Shootdown.Machine.MachineHandleAttribute");
        Mutability = new Mutability(this);
    }

    /// <summary>Which types can carry state that snapshots would share.</summary>
    public Mutability Mutability { get; }

    /// <summary>Null for a compilation that does not know the machine and so has no kernel code.</summary>
    public static KernelTypes? Find(Compilation compilation)
        => compilation.GetTypeByMetadataName("Shootdown.Machine.Proc") is { } proc
            ? new KernelTypes(proc, compilation)
            : null;

    /// <summary><c>Proc</c> or <c>Proc&lt;T&gt;</c>.</summary>
    public bool IsProc(ITypeSymbol? type) => Is(type, _proc) || Is(type, _procOfT);

    /// <summary>What kernel code may await: a <c>Proc</c> or an <c>Op</c>, with a result or without.</summary>
    public bool IsAwaitable(ITypeSymbol? type) => IsProc(type) || Is(type, _op) || Is(type, _opOfT);

    /// <summary>An async method, local function or lambda whose frames the machine snapshots.</summary>
    public bool IsKernelFunction(IMethodSymbol method) => method.IsAsync && IsProc(method.ReturnType);

    /// <summary>True for a type that carries <c>[MachineHandle]</c> or inherits it.</summary>
    public bool IsHandle(ITypeSymbol type)
    {
        for (ITypeSymbol? level = type; level is not null; level = level.BaseType)
        {
            foreach (AttributeData attribute in level.GetAttributes())
            {
                if (Is(attribute.AttributeClass, _handleAttribute))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static bool Is(ITypeSymbol? type, INamedTypeSymbol? known)
        => known is not null && SymbolEqualityComparer.Default.Equals(type?.OriginalDefinition, known);
}
