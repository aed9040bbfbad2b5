using System.Collections.Concurrent;
using Microsoft.CodeAnalysis;

namespace Shootdown.Analyzers;

/// <summary>
/// Decides whether a value of a type can carry state that changes and is reached by reference. A suspended
/// coroutine is snapshotted by copying its frame, so that two snapshots would share such state.
/// </summary>
/// <remarks>
/// Not seen: private fields of classes in other assemblies (reference assemblies leave them out), subclasses, what is
/// behind an interface of ours, and what a delegate is bound to. The machine's run-time check finds those.
/// </remarks>
internal sealed class Mutability(KernelTypes types)
{
    private readonly ConcurrentDictionary<ITypeSymbol, string> _answers = new(SymbolEqualityComparer.Default);

    /// <summary>Null if the type is safe, else the end of a sentence that begins with the type's name.</summary>
    public string? WhyShared(ITypeSymbol? type)
    {
        if (type is null)
        {
            return null;
        }

        if (!_answers.TryGetValue(type, out string? answer))
        {
            var open = new HashSet<ITypeSymbol>(SymbolEqualityComparer.Default);
            answer = Why(type, open) ?? string.Empty;
            _answers[type] = answer;
        }

        return answer.Length == 0 ? null : answer;
    }

    /// <summary>A type's name as messages show it.</summary>
    public static string Name(ITypeSymbol type)
        => type.ToDisplayString(SymbolDisplayFormat.CSharpShortErrorMessageFormat);

    /// <summary>The instance field can be assigned after the constructor.</summary>
    public static bool CanChange(IFieldSymbol field) => !field.IsStatic && !field.IsConst && !field.IsReadOnly
        && field.AssociatedSymbol is not IPropertySymbol { SetMethod: null or { IsInitOnly: true } };

    /// <summary>
    /// A field as its source shows it: the compiler makes fields for properties and for primary constructors.
    /// </summary>
    public static string Describe(IFieldSymbol field)
    {
        if (field.AssociatedSymbol is { } property)
        {
            return $"property '{property.Name}'";
        }

        int end = field.Name.IndexOf('>');
        return field.Name.StartsWith("<", StringComparison.Ordinal) && end > 0
            ? $"primary constructor parameter '{field.Name.Substring(1, end - 1)}' as a field"
            : $"field '{field.Name}'";
    }

    // The open types are those that we are in the middle of: a type that refers to itself is as good as its other
    // fields.
    private string? Why(ITypeSymbol type, HashSet<ITypeSymbol> open)
    {
        switch (type)
        {
            case IArrayTypeSymbol:
                return "is an array; use ImmutableArray<T>, a range struct or words of the machine";
            case IPointerTypeSymbol or IFunctionPointerTypeSymbol:
                return "is a pointer to memory outside the machine; use words of the machine";
            case IDynamicTypeSymbol:
                return "can hold anything; use the real type";
            case ITypeParameterSymbol parameter:
                return WhyParameter(parameter, open);
            case INamedTypeSymbol named when type.TypeKind != TypeKind.Error && open.Add(type):
                string? why = WhyNamed(named, open);
                open.Remove(type);
                return why;
            default:
                return null;
        }
    }

    private string? WhyParameter(ITypeParameterSymbol parameter, HashSet<ITypeSymbol> open)
    {
        bool isSafe = parameter.HasUnmanagedTypeConstraint || parameter.HasValueTypeConstraint
            || parameter.ConstraintTypes.Any(constraint => Why(constraint, open) is null);
        return isSafe
            ? null
            : "can stand for a mutable class; constrain it to 'unmanaged', 'struct' or an interface of yours";
    }

    private string? WhyNamed(INamedTypeSymbol type, HashSet<ITypeSymbol> open)
    {
        if (type.SpecialType is SpecialType.System_IntPtr or SpecialType.System_UIntPtr)
        {
            return "is a native pointer; use long or ulong";
        }

        if (type.SpecialType == SpecialType.System_Object)
        {
            return "can hold anything; use the real type";
        }

        if (type.TypeKind is TypeKind.Enum or TypeKind.Delegate
            || IsPlainValue(type.SpecialType) || types.IsHandle(type))
        {
            return null;
        }

        if (types.IsAwaitable(type))
        {
            return "is a call that has not been awaited; pass what it needs, and call and await in one place";
        }

        if (IsMadeOfItsArguments(type))
        {
            return WhyArguments(type, open);
        }

        if (type.TypeKind == TypeKind.Interface)
        {
            return IsOfFramework(type) ? "may be a mutable collection; use ImmutableArray<T>" : null;
        }

        if (!IsOfFramework(type))
        {
            return WhyMembers(type, open);
        }

        // What is inside a class of the framework cannot be seen, and what is inside a struct of it says nothing.
        return type.IsReferenceType || WhyMembers(type, open) is not null
            ? "can change; use ImmutableArray<T>, a readonly record struct or words of the machine"
            : null;
    }

    private string? WhyMembers(INamedTypeSymbol type, HashSet<ITypeSymbol> open)
    {
        for (INamedTypeSymbol? level = type; level is not null && !IsRoot(level); level = level.BaseType)
        {
            foreach (ISymbol member in level.GetMembers())
            {
                if (!member.IsStatic && WhyMember(member, type, open) is { } why)
                {
                    return why;
                }
            }
        }

        return null;
    }

    private string? WhyMember(ISymbol member, INamedTypeSymbol type, HashSet<ITypeSymbol> open)
    {
        switch (member)
        {
            // A struct is copied with the frame, so that its own fields may change.
            case IFieldSymbol field when type.IsReferenceType && CanChange(field):
                return $"has the {Describe(field)}, which can change; make it readonly or keep it in a machine word";
            case IFieldSymbol { IsFixedSizeBuffer: true }:
                return null;
            case IFieldSymbol field when Why(field.Type, open) is { } why:
                return $"has the {Describe(field)} of type {Name(field.Type)}, which {why}";
            case IPropertySymbol { SetMethod.IsInitOnly: false, IsIndexer: false } property when type.IsReferenceType:
                return $"has the property '{property.Name}' with a setter; make it init-only or keep it in a machine word";
            case IPropertySymbol property when type.IsAnonymousType && Why(property.Type, open) is { } why:
                return $"has the property '{property.Name}' of type {Name(property.Type)}, which {why}";
            default:
                return null;
        }
    }

    private string? WhyArguments(INamedTypeSymbol type, HashSet<ITypeSymbol> open)
    {
        if (IsOfImmutableNamespace(type) && WhyCollection(type) is { } reason)
        {
            return reason;
        }

        foreach (ITypeSymbol argument in type.TypeArguments)
        {
            if (Why(argument, open) is { } why)
            {
                return $"holds values of type {Name(argument)}, which {why}";
            }
        }

        return null;
    }

    // Of the immutable collections only the array is one to the machine too: nodes of the trees are frozen when they
    // are read, and an enumerator holds the array itself.
    private static string? WhyCollection(INamedTypeSymbol type)
    {
        if (type.ContainingType is not { } collection)
        {
            return type.Name == "ImmutableArray" ? null : "is built of nodes that can change; use ImmutableArray<T>";
        }

        return collection.Name == "ImmutableArray" && type.Name == "Enumerator"
            ? "holds an array; write 'for (int i = 0; i < items.Length; i++)' instead of 'foreach'"
            : "changes while it is used; use ImmutableArray<T>";
    }

    private static bool IsMadeOfItsArguments(INamedTypeSymbol type)
    {
        string space = type.ContainingNamespace?.ToDisplayString() ?? string.Empty;
        return IsOfImmutableNamespace(type)
            || type.IsTupleType
            || type.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T
            || (space == "System" && type.Name is "Tuple")
            || (space == "System.Collections.Generic" && type.Name is "KeyValuePair");
    }

    private static bool IsOfImmutableNamespace(INamedTypeSymbol type)
        => type.ContainingNamespace?.ToDisplayString() == "System.Collections.Immutable";

    private static bool IsPlainValue(SpecialType type)
        => type is (>= SpecialType.System_Boolean and <= SpecialType.System_String) or SpecialType.System_DateTime;

    private static bool IsRoot(INamedTypeSymbol type)
        => type.SpecialType is SpecialType.System_Object or SpecialType.System_ValueType;

    private static bool IsOfFramework(ITypeSymbol type)
    {
        string name = type.ContainingAssembly?.Name ?? string.Empty;
        return name is "System" or "mscorlib" or "netstandard"
            || name.StartsWith("System.", StringComparison.Ordinal)
            || name.StartsWith("Microsoft.", StringComparison.Ordinal);
    }
}
