using System.Reflection;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What the matrix can say of a change of the kernel that none of its machines shows.</summary>
/// <param name="Reaching">Operations that come to a function which the change replaces.</param>
/// <param name="Shown">The first larger machine that shows it; null if none of those tried does.</param>
/// <param name="Tried">How many larger machines were tried.</param>
/// <param name="Larger">How many there are.</param>
public sealed record PairSearch(IReadOnlyList<MmOperation> Reaching, PairCell? Shown, int Tried, int Larger)
{
    /// <summary>
    /// Goes through the machines of <see cref="PairMatrix.Larger"/> that have an operation which comes to a replaced function, until one shows
    /// a violation or the time is over.
    /// </summary>
    /// <param name="operations">The operations.</param>
    /// <param name="setup">The kernel with the change.</param>
    /// <param name="options">Limits of each check; the time is that of the whole search.</param>
    public static PairSearch Run(IReadOnlyList<MmOperation> operations, PairSetup setup, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(operations);
        ArgumentNullException.ThrowIfNull(setup);
        ArgumentNullException.ThrowIfNull(options);
        HashSet<string> ids = IdsReaching(ReplacedFunctions(setup));
        MmOperation[] reaching = [.. operations.Where(operation => ids.Contains(operation.Id))];
        IReadOnlyList<PairCell> larger = reaching.Length == 0 ? [] : PairMatrix.Larger(operations, reaching);
        var limit = new CancellationTokenSource(options.Time ?? TimeSpan.FromSeconds(60));
        int tried = 0;
        foreach (PairCell cell in larger)
        {
            if (limit.IsCancellationRequested || options.Cancellation.IsCancellationRequested)
            {
                break;
            }

            CheckReport report = PairRun.Check(cell, setup, options with { Cancellation = limit.Token });
            tried += report.Verdict == Verdict.Pass ? 1 : 0;
            if (report.Verdict == Verdict.Violation)
            {
                return new PairSearch(reaching, cell, tried + 1, larger.Count);
            }
        }

        return new PairSearch(reaching, null, tried, larger.Count);
    }

    /// <summary>The functions that the kernel's parts replace, as the kernel spells them, or their methods' names.</summary>
    internal static IReadOnlyList<string> ReplacedFunctions(PairSetup setup)
    {
        var machine = new MachineModel(new MachineOptions { Levels = 2, Tables = 2, MovableTables = true, GracePeriods = true });
        var kernel = new KernelModel(machine, setup.Options, setup.Parts);
        return
        [
            .. from property in typeof(KernelModel).GetProperties()
               where typeof(Mechanism).IsAssignableFrom(property.PropertyType)
               let type = property.GetValue(kernel)?.GetType()
               where type is not null && type.Assembly != typeof(KernelModel).Assembly | type.Namespace != typeof(KernelModel).Namespace
               from method in type.GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
               where method.GetBaseDefinition() != method
               from function in (string[])[method.Name, KernelNames.OfMethod(method.GetBaseDefinition())]
               where function.Length > 0
               select function,
        ];
    }

    /// <summary>Ids of the operations from which a chain of calls leads to one of the functions.</summary>
    private static HashSet<string> IdsReaching(IReadOnlyList<string> functions)
    {
        CallGraph graph = CallGraph.Library;
        var seen = new HashSet<string>(functions.SelectMany(graph.Resolve), StringComparer.Ordinal);
        var work = new Queue<string>(seen);
        while (work.TryDequeue(out string? function))
        {
            foreach (string caller in graph.CallersOf(function).Where(seen.Add))
            {
                work.Enqueue(caller);
            }
        }

        return seen;
    }
}
