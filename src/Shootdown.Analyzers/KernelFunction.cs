using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>One async method, local function or lambda that returns <c>Proc</c>, with its body.</summary>
internal sealed class KernelFunction
{
    private readonly KernelTypes _types;

    private KernelFunction(KernelTypes types, IMethodSymbol symbol, IOperation body)
    {
        _types = types;
        Symbol = symbol;
        Body = body;
    }

    public IMethodSymbol Symbol { get; }

    public IOperation Body { get; }

    /// <summary>The kernel functions that a member declares, at any depth.</summary>
    public static IEnumerable<KernelFunction> In(OperationBlockAnalysisContext context, KernelTypes types)
    {
        foreach (IOperation block in context.OperationBlocks)
        {
            if (block is IBlockOperation
                && context.OwningSymbol is IMethodSymbol method && types.IsKernelFunction(method))
            {
                yield return new KernelFunction(types, method, block);
            }

            foreach (IOperation operation in block.DescendantsAndSelf())
            {
                if (operation.AsFunction() is (var symbol, { } body) && types.IsKernelFunction(symbol))
                {
                    yield return new KernelFunction(types, symbol, body);
                }
            }
        }
    }

    /// <summary>What runs in the function's own frame: not the bodies of local functions and lambdas.</summary>
    public IEnumerable<IOperation> OwnOperations() => Body.DescendantsUpTo(static _ => true);

    /// <summary>The same and the bodies of the helpers in it, less those that are kernel functions themselves.</summary>
    public IEnumerable<IOperation> OperationsWithHelpers() => Body.DescendantsUpTo(_types.IsKernelFunction);

    /// <summary>
    /// Where the function may be suspended, as the syntax that waits: <c>await</c>, <c>await foreach</c> and
    /// <c>await using</c>.
    /// </summary>
    public IEnumerable<SyntaxNode> SuspensionPoints()
    {
        foreach (IOperation operation in OwnOperations())
        {
            if (operation is IAwaitOperation
                or IForEachLoopOperation { IsAsynchronous: true }
                or IUsingOperation { IsAsynchronous: true }
                or IUsingDeclarationOperation { IsAsynchronous: true })
            {
                yield return operation.Syntax;
            }
        }
    }
}
