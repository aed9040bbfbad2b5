using System.Reflection;
using Shootdown.Catalogue;
using Shootdown.Kernel;

namespace Shootdown.Cli;

/// <summary>The kernel of a matrix while the patches of files are put into it, one after the other.</summary>
/// <param name="core">The kernel without them.</param>
internal sealed class PatchStack(PairSetup core)
{
    private static readonly PropertyInfo[] Mechanisms = typeof(KernelParts).GetProperties();
    private readonly Dictionary<string, string> _replacedBy = new(StringComparer.Ordinal);

    /// <summary>The kernel with the patches so far.</summary>
    public PairSetup Setup { get; private set; } = core;

    /// <summary>Applies a patch.</summary>
    /// <exception cref="UsageException">It throws, changes nothing, or replaces what another one replaces.</exception>
    public void Add(string path, KernelPatch patch)
    {
        PairSetup patched = Applied(path, patch);
        string[] replaced = [.. Mechanisms
            .Where(part => !Equals(part.GetValue(Setup.Parts), part.GetValue(patched.Parts)))
            .Select(part => part.Name)];
        if (replaced.Length == 0 && patched.Options == Setup.Options)
        {
            throw new UsageException(
                $"{path}: the patch {patch.Id} replaces nothing: Apply must return 'parts with {{ Zap = kernel => new MyZap(kernel) }}' or the like",
                "docs/operation.md");
        }

        foreach (string part in replaced)
        {
            if (!_replacedBy.TryAdd(part, patch.Id))
            {
                throw new UsageException(
                    $"{path}: the patches {_replacedBy[part]} and {patch.Id} both replace {part}, and only one can: choose with --patch ID");
            }
        }

        Setup = patched;
    }

    private PairSetup Applied(string path, KernelPatch patch)
    {
        try
        {
            return Setup.With(patch);
        }
        catch (Exception exception) when (exception is not UsageException)
        {
            throw new UsageException($"{path}: the patch {patch.Id} threw {exception.GetType().Name}: {exception.Message}");
        }
    }
}
