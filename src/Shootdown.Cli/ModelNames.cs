using Shootdown.Machine;

namespace Shootdown.Cli;

/// <summary>Memory models as they are spelled on the command line.</summary>
internal static class ModelNames
{
    public const string Sc = "sc";
    public const string X86Tso = "x86-tso";

    /// <summary>Known by name, but not built yet: asking for it is no mistake, and gets no verdict.</summary>
    private const string Arm64 = "arm64";

    public static string Of(MemoryModelKind model) => model switch
    {
        MemoryModelKind.Sc => Sc,
        MemoryModelKind.X86Tso => X86Tso,
        _ => throw new ArgumentOutOfRangeException(nameof(model), model, "a memory model without a name"),
    };

    /// <summary>Reads an option's value.</summary>
    /// <exception cref="UsageException">There is no such model and none is planned.</exception>
    public static string Read(string option, string text)
        => string.Equals(text, Arm64, StringComparison.OrdinalIgnoreCase) ? Arm64 : OptionValues.Word(option, text, Sc, X86Tso);

    /// <summary>Null for a model that does not exist yet.</summary>
    public static MemoryModelKind? Kind(string name) => name switch
    {
        Sc => MemoryModelKind.Sc,
        X86Tso => MemoryModelKind.X86Tso,
        _ => null,
    };
}
