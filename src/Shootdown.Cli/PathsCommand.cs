using System.CommandLine;
using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Lists every path of the library that reaches a function, with the locks held.</summary>
internal sealed class PathsCommand(CliHost host, ParseResult parsed, CommandTree tree)
{
    private const int NearestMax = 3;

    /// <summary>Runs it; returns the exit code.</summary>
    public int Run()
    {
        string asked = parsed.GetValue(tree.To)
            ?? throw new UsageException("paths needs --to FUNCTION", "./shootdown paths --to mmu_notifier_invalidate_range_start");
        string function = Function(asked);
        MmOperation[] operations = [.. (parsed.GetValue(tree.From) ?? []).Select(Operation)];
        PathsPage page = PageOf(PathFinder.Find(function, operations, Build(parsed.GetValue(tree.Spinlocks) ?? [])));
        if (parsed.GetValue(tree.Json))
        {
            ReportJson.WritePaths(page, CommandLine.Version, host.Out);
        }
        else
        {
            page.Write(host.Out);
        }

        return page.Cut.Count > 0 ? ExitCode.Inconclusive : ExitCode.Pass;
    }

    private static string Function(string asked) => CallGraph.Library.Resolve(asked) switch
    {
        [string only] => only,
        [] => throw Unknown("function", asked, CallGraph.Library.Functions),
        var several => throw new UsageException($"'{asked}' is the method of several functions: {string.Join(", ", several)}"),
    };

    private static MmOperation Operation(string id)
        => OperationList.All.FirstOrDefault(operation => string.Equals(operation.Id, id, StringComparison.OrdinalIgnoreCase))
            ?? throw Unknown("operation", id, [.. OperationList.All.Select(operation => operation.Id)]);

    private static KernelOptions Build(IReadOnlyList<string> spinlocks)
    {
        var build = new KernelOptions();
        foreach (string name in spinlocks)
        {
            build = name switch
            {
                "i_mmap" => build with { IMmapLock = RmapLockKind.Spinlock },
                "anon_vma" => build with { AnonVmaLock = RmapLockKind.Spinlock },
                _ => throw new UsageException($"--spinlock must be i_mmap or anon_vma, not '{name}'"),
            };
        }

        return build;
    }

    private static UsageException Unknown(string what, string asked, IReadOnlyList<string> known)
    {
        string[] nearest =
        [
            .. known.Where(name => NearestName.IsNear(KernelNames.ToSnakeCase(asked), name))
                .OrderBy(name => DistanceOf(asked, name)).ThenBy(name => name, StringComparer.Ordinal).Take(NearestMax),
        ];
        return new UsageException(
            $"unknown {what} '{asked}'" + (nearest.Length > 0 ? $"; did you mean {string.Join(", ", nearest)}?" : string.Empty),
            what == "operation" ? "./shootdown pairs --operations" : "./shootdown paths --help");
    }

    /// <summary>A name that contains what was typed is nearer than one that is spelled alike.</summary>
    private static int DistanceOf(string asked, string name)
        => name.Contains(asked, StringComparison.OrdinalIgnoreCase) ? 0 : NearestName.Distance(asked, name);

    private static PathsPage PageOf(PathReport report) => new()
    {
        Function = report.Function,
        Paths =
        [
            .. report.Paths.GroupBy(path => (path.CallText, path.HeldText)).Select(group => new PathEntry(
                [.. group.Select(path => path.Operation).Distinct()], group.First().Calls, group.Key.HeldText, group.First().IsAtomic)),
        ],
        Machines = report.Machines,
        States = report.States,
        Cut = report.Cut,
        Unseen = report.Unseen,
        NotRun = report.NotRun,
    };
}
