using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>SHOOT004: a kernel call or machine operation is awaited where it is made.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class UnawaitedCallAnalyzer : KernelAnalyzer
{
    private static readonly DiagnosticDescriptor Descriptor = Error(
        "SHOOT004",
        "A kernel call or machine operation is not awaited",
        "{0} is not awaited: it {1}; write 'await' before it",
        "A method that returns Proc only prepares its first frame, and one that returns Op only describes what the "
        + "machine shall do: nothing happens before the await. Await it in the same expression. A method that is "
        + "not async may return it to its caller (`return F(x);`), and code that is not kernel code may hand it on.");

    /// <summary>Creates the rule.</summary>
    public UnawaitedCallAnalyzer()
        : base(Descriptor)
    {
    }

    private protected override void Register(CompilationStartAnalysisContext start, KernelTypes types)
        => start.RegisterOperationAction(
            context => Analyze(context, types),
            OperationKind.Invocation,
            OperationKind.ObjectCreation,
            OperationKind.PropertyReference);

    private void Analyze(OperationAnalysisContext context, KernelTypes types)
    {
        IOperation call = context.Operation;
        if (!types.IsAwaitable(call.Type) || call is IObjectCreationOperation { Arguments.Length: 0 })
        {
            return;
        }

        if (WhatBecomesOf(call, context.ContainingSymbol, types) is { } fate)
        {
            context.ReportDiagnostic(Diagnostic.Create(Rule, call.Syntax.GetLocation(), What(call), fate));
        }
    }

    /// <summary>Null if the call is awaited or handed on properly.</summary>
    private static string? WhatBecomesOf(IOperation call, ISymbol container, KernelTypes types)
    {
        IOperation child = call;
        IOperation? parent = call.Parent;
        while (parent is IConversionOperation or IParenthesizedOperation or ICoalesceOperation
            or ISwitchExpressionArmOperation or ISwitchExpressionOperation
            || (parent is IConditionalOperation { Type: not null } choice && choice.Condition != child))
        {
            child = parent;
            parent = parent.Parent;
        }

        IMethodSymbol? function = EnclosingFunction(call, container);
        switch (parent)
        {
            case IAwaitOperation:
            case IReturnOperation when function is { IsAsync: false } && types.IsAwaitable(function.ReturnType):
            case IReturnOperation when function is null && types.IsAwaitable(child.Type):
                return null;
            case IArgumentOperation argument when types.IsAwaitable(argument.Parameter?.Type)
                && !(function is not null && types.IsKernelFunction(function)):
                return null;
            case IReturnOperation:
                return "is returned from a function that does not return it to an awaiting caller";
            case IExpressionStatementOperation:
                return "is discarded";
            case IAssignmentOperation { Target: IDiscardOperation }:
                return "is discarded";
            case IArgumentOperation:
                return "is passed on";
            case IMemberReferenceOperation or IInvocationOperation:
                return "is used as a value";
            default:
                return "is stored";
        }
    }

    private static IMethodSymbol? EnclosingFunction(IOperation operation, ISymbol container)
    {
        for (IOperation? level = operation.Parent; level is not null; level = level.Parent)
        {
            if (level.AsFunction() is (var symbol, _))
            {
                return symbol;
            }
        }

        return container as IMethodSymbol;
    }

    private static string What(IOperation call) => call switch
    {
        IInvocationOperation invocation => $"The call of '{invocation.TargetMethod.Name}'",
        IPropertyReferenceOperation property => $"The operation '{property.Property.Name}'",
        _ => $"The new {call.Type!.Name}",
    };
}
