using Shootdown.Kernel;

namespace Shootdown.Measure;

/// <summary>A flush design under which workloads are measured.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Summary">What it does, in one line.</param>
/// <param name="Profile">The kernel that has it.</param>
public sealed record FlushPolicy(string Name, string Summary, TimedProfile Profile)
{
    /// <summary>Versions of Linux, then every sound flush design that runs on a machine of real size, by year.</summary>
    public static IReadOnlyList<FlushPolicy> All { get; } =
    [
        new("linux-6.12", "gathers and unmap batches of 6.12; up to 33 pages one by one", TimedProfile.Linux612),
        new("linux-6.1", "gathers and unmap batches of 6.1", TimedProfile.Linux61),
        new("linux-6.18", "6.12 with masks that are trimmed once a second and tables freed by MADV_DONTNEED", TimedProfile.Linux618),
        new("full", "6.12, but every flush is a full one", TimedProfile.Linux612 with
        {
            Name = "full", Options = TimedProfile.Linux612.Options with { FlushCeiling = 0 },
        }),
        .. Designs.Where(design => design.NotMeasured is null).Select(Of),
    ];

    /// <summary>Sound designs that are left out of <see cref="All"/>, each with the reason.</summary>
    public static IReadOnlyList<(string Name, string Reason)> LeftOut { get; } =
        [.. Designs.Where(design => design.NotMeasured is not null).Select(design => (design.Id, design.NotMeasured!))];

    /// <summary>Those of <c>./shootdown designs</c> that are sound; what 6.12 does itself stands there as <c>batched</c>.</summary>
    private static IEnumerable<FlushDesign> Designs => FlushDesign.All.Where(design => design is { IsSound: true } and not BatchedFlush);

    /// <summary>6.12 with a flush design.</summary>
    public static FlushPolicy Of(FlushDesign design)
    {
        ArgumentNullException.ThrowIfNull(design);
        TimedProfile linux = TimedProfile.Linux612;
        return new FlushPolicy(design.Id, design.Title, linux with
        {
            Name = design.Id,
            Options = design.Configure(linux.Options),
            Parts = design.Apply(linux.Parts),
            ExtraAsids = design.ExtraAsidsAtRealSize,
        });
    }

    /// <summary>A design by name; null if there is none.</summary>
    public static FlushPolicy? Find(string name) => All.FirstOrDefault(policy => policy.Name == name);
}
