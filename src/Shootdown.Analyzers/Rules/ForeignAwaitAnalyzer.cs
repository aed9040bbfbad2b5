using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Shootdown.Analyzers;

/// <summary>SHOOT005: kernel code waits only for the machine.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ForeignAwaitAnalyzer : KernelAnalyzer
{
    private static readonly DiagnosticDescriptor Descriptor = Error(
        "SHOOT005",
        "Kernel code awaits something that is not the machine's",
        "Kernel code awaits {0}, which the machine cannot schedule; await a Proc or an operation of a Cpu",
        "Every await of kernel code is a step that the machine orders. A task, a yield or an asynchronous stream is "
        + "completed by the thread pool, behind the machine's back.");

    /// <summary>Creates the rule.</summary>
    public ForeignAwaitAnalyzer()
        : base(Descriptor)
    {
    }

    private protected override void Analyze(KernelFunctionContext context, KernelFunction function)
    {
        foreach (IOperation operation in function.OwnOperations())
        {
            switch (operation)
            {
                case IAwaitOperation { Operation: { Type: { } type } } wait when !context.Types.IsAwaitable(type):
                    context.Report(wait.Syntax, $"a {Mutability.Name(type)}");
                    break;
                case IForEachLoopOperation { IsAsynchronous: true } loop:
                    context.Report(loop.Collection.Syntax, "an asynchronous stream");
                    break;
                case IUsingOperation { IsAsynchronous: true } block:
                    context.Report(block.Resources.Syntax, "an asynchronous Dispose");
                    break;
                case IUsingDeclarationOperation { IsAsynchronous: true } declaration:
                    context.Report(declaration.Syntax, "an asynchronous Dispose");
                    break;
            }
        }
    }
}
