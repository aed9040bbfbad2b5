using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-11: must a secondary MMU be told when an entry is only write-protected?</summary>
public sealed class NotifyOnWriteProtect : SeedItem
{
    private const string Never = "never", AtEnd = "at range_end", WithFlush = "with the flush";

    /// <inheritdoc/>
    public override string Id => "S001-11";

    /// <inheritdoc/>
    public override string Lines => "93-97";

    /// <inheritdoc/>
    public override string Claim => "a downgrade need not be notified at once: the PTE does not change its page";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        KSM beside a device that fills its own TLB from the page tables of the CPUs and stores through it. Its TLB is invalidated with the
        flush (6.6 and later), at the end of the notifier pair (before 6.6), or not at all when the entry is write-protected. P-copy
        judges that no store to the page is left behind once it was found equal to the other one; P-life that nothing freed is reached.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        Lifetime alone would allow to wait until the page is replaced. Contents do not: pages_identical() compares behind the pair of
        write_protect_page(), so the device must have lost its right to write by the end of that pair. The end is early enough, because
        the comparison comes behind it; no call at all is not.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [Run(WithFlush), Run(AtEnd), Run(Never)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool late = results.Passed(AtEnd) && results.Passed(WithFlush);
        bool never = results.Violated(Never);
        return new SeedAnswer(
            (late, never) switch { (true, true) => SeedVerdict.Depends, (true, false) => SeedVerdict.Holds, _ => SeedVerdict.Refuted },
            $"delaying it to range_end is {(late ? "safe, since contents are compared behind that" : "not safe")}; "
                + $"leaving it out {(never ? $"loses device stores ({results[Never].Property})" : "is safe")}");
    }

    private static SeedRun Run(string when) => SeedRun.OfModel(when, $"ksm and a device TLB: invalidated {when}", () => Model(when));

    private static CheckModel Model(string when)
    {
        MachineOptions options = Stage.FlatOptions(GupModels.Setup(), 2, 1, 5);
        var parts = new KernelParts { Ksm = kernel => new QuietKsm(kernel, when == Never) };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, parts, new KernelOptions { AnonFolios = true });
        (KernelModel kernel, Mm mm) = stage;
        kernel.Machine.Paging.BuildFrame(1);
        kernel.Machine.SetInitial(kernel.Folios[1].Frame.RefCount.Address, 1);
        _ = new DeviceTlb(kernel, mm, when == WithFlush, when != Never);
        kernel.Machine.Paging.BuildLoadedRoot(stage.Cpu(1), mm.Space, 0);
        stage.AddKernelThread(0, "ksmd", () => Merge(kernel, stage.Cpu(0), mm));
        stage.AddKernelThread(1, "device", () => Write(stage.Cpu(1)));
        return new CheckModel(kernel.Machine, [new PCopy(), new PLife(), new Assertions()], ["P-copy"]);
    }

    private static async Proc Merge(KernelModel kernel, Cpu cpu, Mm mm)
    {
        if (await cpu.FrameTryGet(0, "follow_page") != 0)
        {
            await kernel.Ksm.TryToMergeWithKsmPage(cpu, mm, 0, 0, 1);
            await cpu.PutFrames(1, "put_page");
        }
    }

    /// <summary>One store; a fault (a page request) is not answered.</summary>
    private static async Proc Write(Cpu device) => await device.AccessStore(0, 1);

    /// <summary>
    /// The device is a CPU of the machine that runs no program but its stores, and that no mask names: only this reaches its TLB.
    /// </summary>
    private sealed class DeviceTlb(KernelModel kernel, Mm mm, bool withFlush, bool atEnd) : MmuNotifierSubscription(kernel, mm, "device")
    {
        private readonly bool _withFlush = withFlush;
        private readonly bool _atEnd = atEnd;

        public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
        {
            if (_withFlush)
            {
                await cpu.TlbiAll("[ device TLB invalidated ]");
            }
        }

        public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
        {
            if (_atEnd && !_withFlush)
            {
                await cpu.TlbiAll("[ device TLB invalidated ]");
            }
        }
    }

    /// <summary>Tells nobody, if asked to.</summary>
    private sealed class QuietKsm(KernelModel kernel, bool quiet) : Ksm(kernel)
    {
        private readonly bool _quiet = quiet;

        protected override async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int address)
        {
            if (!_quiet)
            {
                await base.MmuNotifierInvalidateRangeEnd(cpu, mm, address);
            }
        }
    }
}
