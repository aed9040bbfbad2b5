using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>SHOOT001: what a frame holds across an await must be immutable or a handle.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class SharedLocalAnalyzer : KernelAnalyzer
{
    private static readonly DiagnosticDescriptor Descriptor = Error(
        "SHOOT001",
        "Kernel code holds mutable state across an await",
        "{0} lives across an await of kernel code, but {1} {2}",
        "A suspended coroutine is snapshotted by copying its frame. What its parameters, locals and temporary values "
        + "refer to is not copied: if it can change, one explored execution sees what another one wrote. Hold values, "
        + "immutable types and handles of the machine, and keep what changes in words of the machine.");

    /// <summary>Creates the rule.</summary>
    public SharedLocalAnalyzer()
        : base(Descriptor)
    {
    }

    private protected override void Analyze(KernelFunctionContext context, KernelFunction function)
    {
        foreach (IParameterSymbol parameter in function.Symbol.Parameters)
        {
            Check(context, parameter.Type, $"Parameter '{parameter.Name}'", parameter.Locations[0]);
        }

        List<SyntaxNode> waits = [.. function.SuspensionPoints()];
        if (waits.Count == 0)
        {
            return;
        }

        foreach (IOperation operation in function.OwnOperations())
        {
            CheckLocals(context, operation, waits);
            switch (operation)
            {
                case IForEachLoopOperation loop:
                    CheckLoop(context, loop, waits);
                    break;
                case IAwaitOperation wait:
                    CheckTemporaries(context, wait);
                    break;
                case IMethodReferenceOperation { Instance: { } target, Parent: IDelegateCreationOperation } method:
                    Check(context, target.Type, $"The target of '{method.Method.Name}'", method.Syntax.GetLocation());
                    break;
            }
        }
    }

    private static void CheckLocals(KernelFunctionContext context, IOperation scope, List<SyntaxNode> waits)
    {
        foreach (ILocalSymbol local in scope.LocalsInScope())
        {
            // A call that is stored is another rule's business.
            if (local.IsConst || local.Type.IsRefLikeType || context.Types.IsAwaitable(local.Type)
                || local.DeclaringSyntaxReferences.Length == 0)
            {
                continue;
            }

            SyntaxNode declaration = local.DeclaringSyntaxReferences[0].GetSyntax();
            int declared = declaration is ForEachStatementSyntax loop ? loop.Statement.SpanStart : declaration.Span.End;
            if (waits.Exists(wait => wait.Span.End > declared && scope.Syntax.Span.Contains(wait.Span)))
            {
                Check(context, local.Type, $"Local '{local.Name}'", local.Locations[0]);
            }
        }
    }

    // The compiler keeps the enumerator, or the array itself, in the frame while the body waits.
    private static void CheckLoop(KernelFunctionContext context, IForEachLoopOperation loop, List<SyntaxNode> waits)
    {
        if (loop.IsAsynchronous || loop.Syntax is not CommonForEachStatementSyntax syntax
            || !waits.Exists(wait => syntax.Statement.Span.Contains(wait.Span)))
        {
            return;
        }

        ITypeSymbol? collection = loop.Collection.WithoutConversions().Type;
        ITypeSymbol? held = collection is IArrayTypeSymbol || collection?.SpecialType == SpecialType.System_String
            ? collection
            : loop.SemanticModel?.GetForEachStatementInfo(syntax).GetEnumeratorMethod?.ReturnType;
        Check(context, held, "The enumerator of the loop", syntax.Expression.GetLocation());
    }

    // In `F(list, await G())` the list is fetched before the wait and kept in the frame until after it.
    private static void CheckTemporaries(KernelFunctionContext context, IAwaitOperation wait)
    {
        IOperation child = wait;
        while (child.Parent is { } parent and not (IBlockOperation or ILoopOperation or IVariableDeclaratorOperation))
        {
            if (parent is IObjectCreationOperation creation && creation.Initializer == child)
            {
                Check(context, creation.Type, "The object under construction", creation.Syntax.GetLocation());
            }

            foreach (IOperation sibling in parent.ChildOperations)
            {
                if (sibling == child)
                {
                    break;
                }

                if (IsValuePart(parent) && HeldBy(sibling) is { } held)
                {
                    Check(context, held.Type, $"The temporary value '{held.Syntax}'", held.Syntax.GetLocation());
                }
            }

            child = parent;
        }
    }

    private static bool IsValuePart(IOperation parent)
        => parent is not (ISwitchOperation or IConditionalOperation or ISwitchExpressionOperation or ITryOperation);

    private static IOperation? HeldBy(IOperation part)
    {
        IOperation value = (part is IArgumentOperation argument ? argument.Value : part).WithoutConversions();
        if (part.Parent is IAssignmentOperation assignment && assignment.Target == part)
        {
            // Of the place that is written to, what is kept is the object that it belongs to.
            switch (value)
            {
                case IArrayElementReferenceOperation element:
                    value = element.ArrayReference;
                    break;
                case IMemberReferenceOperation { Instance: { } instance }:
                    value = instance;
                    break;
                case IMemberReferenceOperation:
                    return null;
            }
        }

        // Locals and parameters are reported where they are declared, and `this` by the rule for fields.
        return value.ConstantValue.HasValue
            || value is ILocalReferenceOperation or IParameterReferenceOperation or IInstanceReferenceOperation
                or IDelegateCreationOperation or IAwaitOperation or IDiscardOperation or ILiteralOperation
            ? null
            : value;
    }

    private static void Check(KernelFunctionContext context, ITypeSymbol? type, string what, Location place)
    {
        if (context.Types.Mutability.WhyShared(type) is { } why)
        {
            context.Report(place, what, Mutability.Name(type!), why);
        }
    }
}
