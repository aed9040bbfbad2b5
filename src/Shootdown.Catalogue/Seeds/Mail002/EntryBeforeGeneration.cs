using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S002-02.</summary>
public sealed class EntryBeforeGeneration : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-02";

    /// <inheritdoc/>
    public override string Lines => "24-38";

    /// <inheritdoc/>
    public override string Claim => "the entry is written before the generation is read; an atomic change and its barrier suffice";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        One CPU restricts an entry and then reads the generation; another raises the generation, flushes and reads the entry. At
        least one must see the other's change: else the gather believes that nobody moved on, and the flusher that nothing changed. The
        change is an atomic exchange, a plain store, or a plain store and a full fence, under sc and x86-tso.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Kinds.SelectMany(kind => new[] { MemoryModelKind.Sc, MemoryModelKind.X86Tso }.Select(model => SeedRun.OfModel(
            Name(kind, model), $"S002-02 {Name(kind, model)}", () => EntryBeforeGenerationModel.Build(kind, model)))),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool plainFails = results.Violated(Name("plain store", MemoryModelKind.X86Tso))
            && results.Passed(Name("plain store", MemoryModelKind.Sc));
        bool othersPass = Kinds.Skip(1).All(kind => results.Passed(Name(kind, MemoryModelKind.X86Tso))
            && results.Passed(Name(kind, MemoryModelKind.Sc)));
        return (plainFails, othersPass) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Depends,
                "safe under x86-tso iff the change is atomic or a full fence follows, a plain store is not; arm64 is not modelled"),
            (false, true) => new SeedAnswer(SeedVerdict.Holds, "safe however the entry is changed"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "an atomic change or a fence does not suffice"),
        };
    }

    private static IReadOnlyList<string> Kinds => EntryBeforeGenerationModel.Kinds;

    private static string Name(string kind, MemoryModelKind model) => $"{kind}, {(model == MemoryModelKind.Sc ? "sc" : "x86-tso")}";
}
