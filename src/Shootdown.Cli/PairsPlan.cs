using Shootdown.Catalogue;
using Shootdown.Kernel;

namespace Shootdown.Cli;

/// <summary>What a request for a matrix amounts to: which operations on which kernel. Every error in the request shows here.</summary>
internal sealed record PairsPlan
{
    private const string OperationsHint = "./shootdown pairs --operations";

    /// <summary>All operations.</summary>
    public required IReadOnlyList<MmOperation> Operations { get; init; }

    /// <summary>The machines to run.</summary>
    public required IReadOnlyList<PairCell> Cells { get; init; }

    /// <summary>The kernel.</summary>
    public required PairSetup Setup { get; init; }

    /// <summary>What the kernel is called.</summary>
    public required string Kernel { get; init; }

    /// <summary>The scenario whose bug is switched on.</summary>
    public Scenario? Bug { get; init; }

    /// <summary>Ids of the patches that are applied.</summary>
    public required IReadOnlyList<string> Patches { get; init; }

    /// <summary>Why it cannot be run; empty if it can.</summary>
    public string Problem { get; init; } = string.Empty;

    /// <summary>Makes the plan.</summary>
    /// <exception cref="UsageException">Something that was named does not exist.</exception>
    public static PairsPlan Of(CliHost host, PairsRequest request)
    {
        SingleFileTypes[] files = [.. request.Files.Select(host.LoadTypes)];
        Scenario? bug = request.Bug is { } name ? new ScenarioLookup(host.Scenarios()).Find(name) : null;
        PairSetup setup = SetupOf(bug, request);
        var kernel = new List<string> { bug is null ? "correct core" : $"core with the bug of {bug.Id}" };
        var added = new List<MmOperation>();
        var patches = new List<(string Path, KernelPatch Patch)>();
        foreach (SingleFileTypes file in files)
        {
            IReadOnlyList<MmOperation> operationsOfFile = file.InstancesOf<MmOperation>();
            added.AddRange(operationsOfFile);
            patches.AddRange(PatchesOf(file, operationsOfFile.Count > 0).Select(patch => (file.Path, patch)));
        }

        var applied = new PatchStack(setup);
        foreach ((string path, KernelPatch patch) in ChosenPatches(patches, request.Patch))
        {
            applied.Add(path, patch);
            kernel.Add(patch.Id);
        }

        setup = applied.Setup;

        IReadOnlyList<MmOperation> operations = OperationList.With(added);
        MmOperation[] chosen = [.. request.Operations.Select(id => Find(operations, id))];
        IReadOnlyList<PairCell> cells = request.Triples ? PairMatrix.Triples(operations, chosen) : PairMatrix.Pairs(operations, chosen);
        return new PairsPlan
        {
            Operations = operations,
            Cells = request.Machine is { } machine ? Narrowed([.. cells, .. PairMatrix.BesideReclaim(operations, chosen)], machine) : cells,
            Setup = request.Model is { } model && ModelNames.Kind(model) is { } kind ? setup with { Model = kind } : setup,
            Kernel = string.Join(" + ", kernel),
            Bug = bug,
            Patches = [.. kernel.Skip(1)],
            Problem = string.Join('\n', files.Select(file => file.Reason).Where(reason => reason.Length > 0)),
        };
    }

    private static PairSetup SetupOf(Scenario? bug, PairsRequest request)
    {
        if (request.Model is { } model && ModelNames.Kind(model) is null)
        {
            throw new UsageException($"the memory model {model} does not exist yet; use {ModelNames.Sc} or {ModelNames.X86Tso}");
        }

        return bug is null ? new PairSetup() : PairSetup.OfBug(bug) ?? throw new UsageException(
            $"the bug of {bug.Id} is not in a mechanism of the kernel that other operations use: ./shootdown check {bug.Id} runs it");
    }

    /// <summary>The patches of a file; a scenario with a bug counts as one.</summary>
    private static IReadOnlyList<KernelPatch> PatchesOf(SingleFileTypes file, bool hasOperations)
    {
        IReadOnlyList<KernelPatch> patches =
            [.. file.InstancesOf<KernelPatch>(), .. file.InstancesOf<Scenario>().Select(ScenarioPatch.Of).OfType<KernelPatch>()];
        return patches.Count > 0 || file.Assembly is null || hasOperations
            ? patches
            : throw new UsageException(
                $"{file.Path} has no class that derives from {nameof(KernelPatch)} or {nameof(MmOperation)}", "docs/operation.md");
    }

    private static IReadOnlyList<(string Path, KernelPatch Patch)> ChosenPatches(
        IReadOnlyList<(string Path, KernelPatch Patch)> patches, string? id)
    {
        (string Path, KernelPatch Patch)[] chosen = [.. patches.Where(one => id is null || string.Equals(one.Patch.Id, id, StringComparison.OrdinalIgnoreCase))];
        string[] known = [.. patches.Select(one => one.Patch.Id)];
        return chosen.Length > 0 || id is null ? chosen : throw new UsageException(known.Length == 0
            ? $"--patch {id}: no file with a patch is given"
            : $"--patch: there is no patch '{id}'{ScenarioLookup.DidYouMean(id, known, ";")} patches: {string.Join(", ", known)}");
    }

    private static MmOperation Find(IReadOnlyList<MmOperation> operations, string id)
        => operations.FirstOrDefault(operation => string.Equals(operation.Id, id, StringComparison.OrdinalIgnoreCase))
            ?? throw new UsageException(
                $"there is no operation '{id}'{ScenarioLookup.DidYouMean(id, operations.Select(operation => operation.Id))}", OperationsHint);

    private static PairCell[] Narrowed(IReadOnlyList<PairCell> cells, string machine)
    {
        PairCell[] narrowed = [.. cells.Where(cell => cell.Machine == machine)];
        string[] known = [.. cells.Select(cell => cell.Machine).Distinct().Order()];
        return narrowed.Length > 0 ? narrowed : throw new UsageException(
            $"--machine: there is no machine '{machine}'{ScenarioLookup.DidYouMean(machine, known, ";")} machines: {string.Join(", ", known)}");
    }

    /// <summary>The bug of a scenario file as a patch.</summary>
    private sealed class ScenarioPatch(string id, PairSetup setup) : KernelPatch
    {
        public override string Id => id;

        public override KernelParts Apply(KernelParts parts) => setup.Parts;

        public override KernelOptions Configure(KernelOptions options) => setup.Options;

        internal static KernelPatch? Of(Scenario scenario)
            => PairSetup.OfBug(scenario) is { } setup ? new ScenarioPatch(scenario.Id, setup) : null;
    }
}
