namespace Shootdown.Measure;

/// <summary>A flush design under which workloads are measured.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Summary">What it does, in one line.</param>
/// <param name="Profile">The kernel that has it.</param>
public sealed record FlushPolicy(string Name, string Summary, TimedProfile Profile)
{
    /// <summary>The designs that the kernel library has.</summary>
    public static IReadOnlyList<FlushPolicy> All { get; } =
    [
        new("linux-6.12", "gathers and unmap batches of 6.12; up to 33 pages one by one", TimedProfile.Linux612),
        new("linux-6.1", "gathers and unmap batches of 6.1", TimedProfile.Linux61),
        new("full", "6.12, but every flush is a full one", TimedProfile.Linux612 with
        {
            Name = "full", Options = TimedProfile.Linux612.Options with { FlushCeiling = 0 },
        }),
        new("unbatched", "6.12, but reclaim flushes each page as it unmaps it", TimedProfile.Linux612 with
        {
            Name = "unbatched",
            Parts = TimedProfile.Linux612.Parts with { TlbBatch = kernel => new NoUnmapBatch(kernel) },
        }),
    ];

    /// <summary>A design by name; null if there is none.</summary>
    public static FlushPolicy? Find(string name) => All.FirstOrDefault(policy => policy.Name == name);
}

/// <summary>Reclaim and migration flush each page as they unmap it, as kernels did before batching (4.3).</summary>
internal sealed class NoUnmapBatch(Kernel.KernelModel kernel) : Kernel.TlbBatch(kernel)
{
    /// <inheritdoc/>
    public override async Machine.Proc<bool> ShouldDeferFlush(Machine.Cpu cpu, Kernel.Mm mm) => false;
}
