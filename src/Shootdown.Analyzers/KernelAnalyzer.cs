using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Shootdown.Analyzers;

/// <summary>Base of the rules for kernel code: one rule each, silent where the machine is not referenced.</summary>
public abstract class KernelAnalyzer : DiagnosticAnalyzer
{
    private protected KernelAnalyzer(DiagnosticDescriptor rule)
    {
        Rule = rule;
        SupportedDiagnostics = ImmutableArray.Create(rule);
    }

    /// <inheritdoc/>
    public sealed override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; }

    /// <summary>What the analyzer reports.</summary>
    protected DiagnosticDescriptor Rule { get; }

    /// <inheritdoc/>
    public sealed override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (KernelTypes.Find(start.Compilation) is { } types)
            {
                Register(start, types);
            }
        });
    }

    /// <summary>All rules are errors: what they find makes verdicts wrong.</summary>
    internal static DiagnosticDescriptor Error(string id, string title, string message, string description)
        => new(id, title, message, "Shootdown.Kernel", DiagnosticSeverity.Error, isEnabledByDefault: true, description);

    private protected virtual void Register(CompilationStartAnalysisContext start, KernelTypes types)
        => start.RegisterOperationBlockAction(context =>
        {
            foreach (KernelFunction function in KernelFunction.In(context, types))
            {
                Analyze(new KernelFunctionContext(context, types, Rule), function);
            }
        });

    private protected virtual void Analyze(KernelFunctionContext context, KernelFunction function)
    {
    }
}
