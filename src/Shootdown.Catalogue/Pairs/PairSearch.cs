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
        IReadOnlyList<MethodInfo> replaced = ReplacedMethods(setup);
        HashSet<string> ids = IdsReaching(replaced);
        MmOperation[] reaching = [.. operations.Where(operation => ids.Contains(operation.Id) || !replaced.All(IsInGraph))];
        IReadOnlyList<PairCell> larger = reaching.Length == 0 ? [] : PairMatrix.Larger(operations, reaching);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(options.Cancellation);
        limit.CancelAfter(options.Time ?? TimeSpan.FromSeconds(60));
        int tried = 0;
        foreach (PairCell cell in larger)
        {
            if (limit.IsCancellationRequested)
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

    /// <summary>The methods that the kernel's parts replace.</summary>
    private static MethodInfo[] ReplacedMethods(PairSetup setup)
    {
        var machine = new MachineModel(new MachineOptions { Levels = 2, Tables = 2, MovableTables = true, GracePeriods = true, Devices = 1 });
        var kernel = new KernelModel(machine, setup.Options, setup.Parts);
        Mm mm = kernel.NewMm("mm", 1);
        object?[] parts =
        [
            .. typeof(KernelModel).GetProperties().Where(property => typeof(Mechanism).IsAssignableFrom(property.PropertyType))
                .Select(property => property.GetValue(kernel)),
            setup.Parts.Kvm(kernel, mm, NotifierRegistration.Always),
            setup.Parts.MirrorDriver(kernel, mm, NotifierRegistration.Always),
            setup.Parts.IommuSva(kernel, mm, machine.Devices[0], NotifierRegistration.Always),
        ];
        const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        return
        [
            .. from part in parts
               let type = part?.GetType()
               where type is not null && type.Namespace != typeof(KernelModel).Namespace
               from method in type.GetMethods(Declared)
               where method.GetBaseDefinition() != method
               select method.GetBaseDefinition(),
        ];
    }

    /// <summary>False for a method that is no kernel function: who calls it is not known.</summary>
    private static bool IsInGraph(MethodInfo method) => CallGraph.Library.Resolve(method.Name).Count > 0;

    /// <summary>Ids of the operations from which a chain of calls leads to one of the methods, among the names on the way.</summary>
    private static HashSet<string> IdsReaching(IReadOnlyList<MethodInfo> methods)
    {
        CallGraph graph = CallGraph.Library;
        var seen = new HashSet<string>(methods.SelectMany(method => graph.Resolve(method.Name)), StringComparer.Ordinal);
        var work = new Queue<string>(seen);
        while (work.TryDequeue(out string? function))
        {
            foreach (string caller in graph.CallersOf(function).Where(seen.Add))
            {
                work.Enqueue(caller);
            }
        }

        if (seen.Contains(KernelNames.OfMethod(typeof(PageFault).GetMethod(nameof(PageFault.HandleMmFault))!)))
        {
            // Threads that fault come to the kernel through the access, which is no call.
            seen.UnionWith(["user-load", "user-store"]);
        }

        return seen;
    }
}
