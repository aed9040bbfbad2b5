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
        Then the same beside a thread that stores too: its write fault copies the page. And a guest with a table of its own, whose entry goes
        at the start of the pair, or stays because nobody tells it.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        Lifetime alone would allow to wait until the page is replaced. Contents do not: pages_identical() compares behind the pair of
        write_protect_page(), so the device must have lost its right to write by the end of that pair. Beside the device alone the end
        is early enough. A thread that stores does not wait for it: the entry is read-only as soon as the table's lock is
        dropped, its fault copies the page, and what the device still stores to the original is lost. Until 5.8 such a fault waited for
        the page lock, which KSM holds; since then the call must come with the flush (S000-11 finds the same), as it does from 6.6 on.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Whens.SelectMany(when => new[] { Run(when, false), Run(when, true) }),
        .. new[] { true, false }.Select(told => SeedRun.OfModel(GuestName(told), $"ksm and a guest: told={told}", () => GuestModel(told))),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool flush = results.Passed(Name(WithFlush, false)) && results.Passed(Name(WithFlush, true));
        bool late = results.Passed(Name(AtEnd, false));
        bool lateBeside = results.Passed(Name(AtEnd, true));
        bool never = results.Violated(Name(Never, false));
        bool guest = results.Passed(GuestName(true)) && results.Violated(GuestName(false));
        var table = new SeedTable(
            "KSM write-protects a page that a device stores to",
            ["device's TLB invalidated", "device alone", "and a thread that stores"],
            [.. Whens.Select(when => new[] { when, results[Name(when, false)].Cell, results[Name(when, true)].Cell })]);
        SeedVerdict verdict = !flush ? SeedVerdict.Refuted : late && lateBeside && !never ? SeedVerdict.Holds : SeedVerdict.Depends;
        return new SeedAnswer(
            verdict,
            $"{(flush ? "safe" : "not safe")} with the flush; at range_end {(late ? "safe" : "not safe")} beside a device alone, "
                + $"{(lateBeside ? "and" : "not")} beside a thread that stores; left out {(never ? $"unsafe ({results[Name(Never, false)].Property})" : "safe")}"
                + (guest ? "; a guest is told at the start" : "; a guest is not as expected"))
        { Tables = [table] };
    }

    private static readonly string[] Whens = [WithFlush, AtEnd, Never];

    private static string Name(string when, bool stores) => stores ? $"{when}, beside a store" : when;

    private static string GuestName(bool told) => told ? "guest, start and end" : "guest, not told";

    private static SeedRun Run(string when, bool stores) => SeedRun.OfModel(
        Name(when, stores), $"ksm and a device TLB: invalidated {Name(when, stores)}", () => Model(when, stores));

    private static CheckModel Model(string when, bool stores)
    {
        MachineOptions options = Stage.FlatOptions(GupModels.Setup(), stores ? 3 : 2, 1, 6);
        var parts = new KernelParts { Ksm = kernel => new QuietKsm(kernel, when == Never) };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, parts, new KernelOptions { AnonFolios = true });
        (KernelModel kernel, Mm mm) = stage;
        KsmStage.BuildStable(kernel, KsmStage.Stable);
        _ = new DeviceTlb(kernel, mm, when == WithFlush, when != Never);
        kernel.Machine.Paging.BuildLoadedRoot(stage.Cpu(1), mm.Space, 0);
        stage.AddKernelThread(0, "ksmd", () => KsmStage.Merge(kernel, stage.Cpu(0), mm));
        stage.AddKernelThread(1, "device", () => Write(stage.Cpu(1)));
        if (stores)
        {
            stage.AddThread(2, "user", () => Stage.StorePages(kernel, stage.Cpu(2), mm, 1));
        }

        return new CheckModel(kernel.Machine, [new PCopy(), new PLife(), new Assertions()], ["P-copy"]);
    }

    /// <summary>A guest that has the page mapped for writing; KSM tells it, or does not while it write-protects and replaces.</summary>
    private static CheckModel GuestModel(bool told)
    {
        MachineOptions options = Stage.FlatOptions(GupModels.Setup(), 2, 1, 5);
        var parts = new KernelParts { Ksm = kernel => new SilentKsm(kernel, !told) };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, parts, new KernelOptions { AnonFolios = true });
        (KernelModel kernel, Mm mm) = stage;
        KsmStage.BuildStable(kernel, KsmStage.Stable);
        var kvm = new Kvm(kernel, mm);
        kvm.Mmu.BuildSpte(0, 0, write: true);
        stage.AddKernelThread(0, "ksmd", () => KsmStage.Merge(kernel, stage.Cpu(0), mm));
        stage.AddThread(1, "vcpu", () => StoreByGuest(kvm, stage.Cpu(1)));
        return new CheckModel(kernel.Machine, [new PCopy(), new PLife(), new PSecondary(), new Assertions()], ["P-life"]);
    }

    private static async Proc StoreByGuest(Kvm kvm, Cpu cpu) => await kvm.GuestStore(cpu, 0, 1);

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

    /// <summary>Calls neither start nor end, if asked to.</summary>
    private sealed class SilentKsm(KernelModel kernel, bool silent) : Ksm(kernel)
    {
        private readonly bool _silent = silent;

        protected override async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int address)
        {
            if (!_silent)
            {
                await base.MmuNotifierInvalidateRangeStart(cpu, mm, address);
            }
        }

        protected override async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int address)
        {
            if (!_silent)
            {
                await base.MmuNotifierInvalidateRangeEnd(cpu, mm, address);
            }
        }
    }
}
