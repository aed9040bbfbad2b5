using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>Ways through a tree of operations.</summary>
internal static class OperationTree
{
    /// <summary>The function that an operation declares, or null symbols for any other operation.</summary>
    public static (IMethodSymbol Symbol, IOperation? Body)? AsFunction(this IOperation operation) => operation switch
    {
        ILocalFunctionOperation local => (local.Symbol, local.Body),
        IAnonymousFunctionOperation lambda => (lambda.Symbol, lambda.Body),
        _ => null,
    };

    /// <summary>An operation and all below it, in source order.</summary>
    public static IEnumerable<IOperation> DescendantsAndSelf(this IOperation root)
        => DescendantsUpTo(root, static _ => false);

    /// <summary>The same, without the functions for which a condition holds.</summary>
    public static IEnumerable<IOperation> DescendantsUpTo(this IOperation root, Func<IMethodSymbol, bool> isBorder)
    {
        var pending = new Stack<IOperation>();
        pending.Push(root);
        while (pending.Count > 0)
        {
            IOperation operation = pending.Pop();
            if (operation != root && operation.AsFunction() is (var symbol, _) && isBorder(symbol))
            {
                continue;
            }

            yield return operation;
            foreach (IOperation child in operation.ChildOperations.Reverse())
            {
                pending.Push(child);
            }
        }
    }

    /// <summary>The operation below conversions that the compiler or the source put around it.</summary>
    public static IOperation WithoutConversions(this IOperation operation)
    {
        while (true)
        {
            switch (operation)
            {
                case IConversionOperation conversion:
                    operation = conversion.Operand;
                    break;
                case IParenthesizedOperation parenthesized:
                    operation = parenthesized.Operand;
                    break;
                default:
                    return operation;
            }
        }
    }

    /// <summary>The locals whose scope the operation is.</summary>
    public static IEnumerable<ILocalSymbol> LocalsInScope(this IOperation operation) => operation switch
    {
        IBlockOperation block => block.Locals,
        ILoopOperation loop => loop is IForLoopOperation @for ? loop.Locals.Concat(@for.ConditionLocals) : loop.Locals,
        IUsingOperation @using => @using.Locals,
        ISwitchOperation @switch => @switch.Locals,
        ISwitchCaseOperation @case => @case.Locals,
        ISwitchExpressionArmOperation arm => arm.Locals,
        ICatchClauseOperation @catch => @catch.Locals,
        _ => [],
    };
}
