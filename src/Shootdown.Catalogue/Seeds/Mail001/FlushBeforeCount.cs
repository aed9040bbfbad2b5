using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-10: the old comment in write_protect_page().</summary>
public sealed class FlushBeforeCount : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S001-10";

    /// <inheritdoc/>
    public override string Lines => "75-98";

    /// <inheritdoc/>
    public override string Claim => "old comment: the flush comes before the count so that no O_DIRECT starts after or during the check";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Refuted;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        KSM beside a lockless pin. write_protect_page() counts references twice: if the comment is right the second count, just before the
        entry is set again, is the first. Once with a flush by IPI, once with a broadcast. Then, for the broadcast, whether it matters: P-pin
        with the core, and with a GUP-fast that does not look at the entry again.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Run("claim, IPI", new KernelParts { Ksm = kernel => new KsmCountsTwice(kernel) }, new PPin()),
        Run("claim, broadcast", new KernelParts { Ksm = kernel => new KsmCountsTwice(kernel), TlbFlush = GupModels.Broadcast }, new PPin()),
        Run("pin, broadcast", new KernelParts { TlbFlush = GupModels.Broadcast }, new PPin()),
        Run("pin, broadcast, one look", new KernelParts { TlbFlush = GupModels.Broadcast, Gup = kernel => new OneLook(kernel) }, new PPin()),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool ipi = results.Passed("claim, IPI");
        bool starts = results["claim, broadcast"].Property == "assert";
        bool harmless = results.Passed("pin, broadcast");
        bool reason = results["pin, broadcast, one look"].Property == "P-pin";
        return new SeedAnswer(
            starts ? SeedVerdict.Refuted : SeedVerdict.Holds,
            $"{(ipi ? "true" : "false")} with an IPI; {(starts ? "false" : "true")} with a broadcast: "
                + $"{(harmless ? "harmless" : "harmful")}{(reason ? ", because the PTE is read again" : string.Empty)}");
    }

    private static SeedRun Run(string name, KernelParts parts, Property property) => SeedRun.OfModel(
        name, $"ksm and O_DIRECT: {name}", () => KsmStage.Make(GupModels.Setup(), parts, KsmPeer.Pins, 2, property));

    /// <summary>Asserts that the count is still the same when the entry is about to be set.</summary>
    private sealed class KsmCountsTwice(KernelModel kernel) : Ksm(kernel)
    {
        protected override async Proc<bool> TryShare(Cpu cpu, int frame)
        {
            bool same = await ReferencesAreExplained(cpu, frame);
            await cpu.Assert(same, "nobody has taken a reference since they were counted");
            return await base.TryShare(cpu, frame);
        }
    }

    private sealed class OneLook(KernelModel kernel) : Gup(kernel)
    {
        protected override async Proc<bool> PteChanged(GupCall call, PageTable table, Pte pte) => false;
    }
}
