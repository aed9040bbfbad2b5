using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>SHOOT003: no closures in kernel code.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class CaptureAnalyzer : KernelAnalyzer
{
    private static readonly DiagnosticDescriptor Descriptor = Error(
        "SHOOT003",
        "A lambda or local function of kernel code captures a variable",
        "{0} captures '{1}', which moves it into an object that snapshots share; make it static and pass '{1}' to it",
        "The compiler moves captured variables into an object on the heap. A frame that refers to it is copied, the "
        + "object is not: one explored execution would see what another one wrote. This holds for lambdas and local "
        + "functions inside kernel code, and for those that are kernel code themselves.");

    /// <summary>Creates the rule.</summary>
    public CaptureAnalyzer()
        : base(Descriptor)
    {
    }

    private protected override void Analyze(KernelFunctionContext context, KernelFunction function)
    {
        if (function.Symbol.MethodKind is MethodKind.AnonymousFunction or MethodKind.LocalFunction)
        {
            Check(context, function.Symbol, function.Body);
        }

        foreach (IOperation operation in function.OperationsWithHelpers())
        {
            if (operation.AsFunction() is (var symbol, { } body))
            {
                Check(context, symbol, body);
            }
        }
    }

    private static void Check(KernelFunctionContext context, IMethodSymbol function, IOperation body)
    {
        ISymbol? captured = body.DescendantsAndSelf().Select(Variable)
            .FirstOrDefault(found => found is not null && IsOutside(found, function, context.Owner));
        if (captured is null)
        {
            return;
        }

        string what = function.MethodKind == MethodKind.LocalFunction ? $"Local function '{function.Name}'" : "The lambda";
        context.Report(Place(function, body), what, captured.Name);
    }

    private static ISymbol? Variable(IOperation operation) => operation switch
    {
        ILocalReferenceOperation { Local.IsConst: false } local => local.Local,
        IParameterReferenceOperation parameter => parameter.Parameter,
        _ => null,
    };

    private static bool IsOutside(ISymbol variable, IMethodSymbol function, ISymbol owner)
    {
        for (ISymbol? level = variable.ContainingSymbol; level is IMethodSymbol method; level = level.ContainingSymbol)
        {
            if (SymbolEqualityComparer.Default.Equals(method, function))
            {
                return false;
            }

            // Parameters of a primary constructor are fields here, and the rule for fields reports them.
            if (method.MethodKind == MethodKind.Constructor && !SymbolEqualityComparer.Default.Equals(method, owner))
            {
                return false;
            }
        }

        return true;
    }

    private static Location Place(IMethodSymbol function, IOperation body)
        => function.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax() switch
        {
            LocalFunctionStatementSyntax local => local.Identifier.GetLocation(),
            LambdaExpressionSyntax lambda => lambda.ArrowToken.GetLocation(),
            AnonymousMethodExpressionSyntax method => method.DelegateKeyword.GetLocation(),
            _ => body.Syntax.GetLocation(),
        };
}
