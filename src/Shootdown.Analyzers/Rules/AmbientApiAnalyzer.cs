using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>SHOOT007: kernel code does the same thing every time.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class AmbientApiAnalyzer : KernelAnalyzer
{
    private static readonly DiagnosticDescriptor Descriptor = Error(
        "SHOOT007",
        "Kernel code depends on something outside the machine",
        "Kernel code uses {0}, {1}",
        "The explorer runs the same step of kernel code many times and relies on the same outcome. Clocks, random "
        + "numbers, the environment, threads, hash codes and the order of hash tables differ between runs; locks and "
        + "atomic operations of .NET act on objects that the machine does not see.");

    private const string Threads =
        "which acts behind the machine's back; use an operation of a Cpu (lock, wait, atomic)";
    private const string Clock = "which reads a clock; time is a property of the machine";
    private const string Chance = "which differs from run to run; use an operation that makes the machine choose";
    private const string Outside =
        "which reads or changes the process around the machine; pass what it needs as a parameter";
    private const string HashCode = "which differs from run to run; compare the values themselves";
    private const string Order =
        "whose order differs from run to run; use ImmutableArray<T>, a range or a sorted collection";

    // Whole types, by name with namespace.
    private static readonly Dictionary<string, string> BannedTypes = new(StringComparer.Ordinal)
    {
        ["System.DateTime"] = Clock,
        ["System.DateTimeOffset"] = Clock,
        ["System.Diagnostics.Stopwatch"] = Clock,
        ["System.TimeProvider"] = Clock,
        ["System.Random"] = Chance,
        ["System.Security.Cryptography.RandomNumberGenerator"] = Chance,
        ["System.Environment"] = Outside,
        ["System.GC"] = Outside,
        ["System.HashCode"] = HashCode,
    };

    // Of these types only the members that are named.
    private static readonly ImmutableHashSet<string> ClockMembers = ImmutableHashSet.Create("Now", "UtcNow", "Today");

    private static readonly ImmutableHashSet<string> UnorderedTypes = ImmutableHashSet.Create(
        "HashSet", "Dictionary", "KeyCollection", "ValueCollection", "Hashtable", "ConcurrentDictionary",
        "ConcurrentBag",
        "ISet", "IReadOnlySet", "IDictionary", "IReadOnlyDictionary", "ImmutableHashSet", "ImmutableDictionary",
        "IImmutableSet", "IImmutableDictionary", "FrozenSet", "FrozenDictionary");

    private static readonly ImmutableHashSet<string> OrderlessQueries = ImmutableHashSet.Create(
        "All", "Any", "Contains", "Count", "LongCount", "Max", "Min", "Order", "OrderBy", "OrderByDescending",
        "OrderDescending", "Sum", "ToHashSet", "ToDictionary");

    /// <summary>Creates the rule.</summary>
    public AmbientApiAnalyzer()
        : base(Descriptor)
    {
    }

    private protected override void Analyze(KernelFunctionContext context, KernelFunction function)
    {
        foreach (IOperation operation in function.OperationsWithHelpers())
        {
            switch (operation)
            {
                case IInvocationOperation call when IsUnorderedQuery(call):
                    context.Report(call.Syntax, $"'{call.TargetMethod.Name}' over a hash table", Order);
                    break;
                case IInvocationOperation { TargetMethod: var method }:
                    Check(context, operation, method);
                    break;
                case IObjectCreationOperation { Constructor: { } constructor }:
                    Check(context, operation, constructor);
                    break;
                case IMemberReferenceOperation reference:
                    Check(context, operation, reference.Member);
                    break;
                case ILockOperation guarded:
                    context.Report(guarded.LockedValue.Syntax, "a lock statement", Threads);
                    break;
                case IForEachLoopOperation loop when IsUnordered(loop.Collection.WithoutConversions().Type):
                    context.Report(loop.Collection.Syntax, "an enumeration of a hash table", Order);
                    break;
            }
        }
    }

    private static void Check(KernelFunctionContext context, IOperation use, ISymbol member)
    {
        if (WhyBanned(member) is { } why)
        {
            string name = member is IMethodSymbol { MethodKind: MethodKind.Constructor }
                ? $"'new {member.ContainingType.Name}'"
                : $"'{member.ContainingType.Name}.{member.Name}'";
            context.Report(use.Syntax, name, why);
        }
    }

    private static string? WhyBanned(ISymbol member)
    {
        if (member.ContainingType is not { } type)
        {
            return null;
        }

        bool isIdentityHash = member.Name == "GetHashCode" && type.Name == "RuntimeHelpers";
        if (isIdentityHash || member is IMethodSymbol { Name: "GetHashCode", Parameters.Length: 0 })
        {
            return HashCode;
        }

        string space = type.ContainingNamespace.ToDisplayString();
        if (space is "System.Threading" or "System.Threading.Tasks")
        {
            return Threads;
        }

        if (space == "System" && type.Name == "Guid")
        {
            return member.Name is "NewGuid" or "CreateVersion7" ? Chance : null;
        }

        if (!BannedTypes.TryGetValue($"{space}.{type.Name}", out string? why))
        {
            return null;
        }

        return type.Name is "DateTime" or "DateTimeOffset" && !ClockMembers.Contains(member.Name) ? null : why;
    }

    private static bool IsUnordered(ITypeSymbol? type)
        => type is not null && UnorderedTypes.Contains(type.Name)
            && type.ContainingNamespace is { } space
            && space.ToDisplayString().StartsWith("System.Collections", StringComparison.Ordinal)
            && type.ContainingType?.Name.StartsWith("Sorted", StringComparison.Ordinal) != true;

    private static bool IsUnorderedQuery(IInvocationOperation call)
        => call.TargetMethod.ContainingType is { Name: "Enumerable", ContainingNamespace.Name: "Linq" }
            && !OrderlessQueries.Contains(call.TargetMethod.Name)
            && call.Arguments.Length > 0
            && IsUnordered(call.Arguments[0].Value.WithoutConversions().Type);
}
