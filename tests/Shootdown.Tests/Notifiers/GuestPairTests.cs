using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Notifiers;

/// <summary>Every operation alone beside a guest: one that forgets to tell notifiers is found.</summary>
public sealed class GuestPairTests
{
    /// <summary>Operations that take no translation away: to them notifiers do not matter. A pin only adds a reference to what is mapped.</summary>
    private static readonly string[] Harmless = ["gup-fast", "madvise-cold", "mprotect-rw", "uffd-unprotect", "user-load"];

    [Fact]
    public void Beside_a_guest_the_core_is_clean()
    {
        IReadOnlyList<PairResult> results = Run(new KernelParts());
        Assert.Equal(77, results.Count);
        Assert.Empty(results.Where(result => result.Report.Verdict != Verdict.Pass).Select(result => result.Cell.Name));
        Assert.Equal(63_739, results.Sum(result => result.Report.Stats.States));
    }

    [Fact]
    public void Whoever_forgets_start_and_end_is_found()
    {
        string[] missed = [.. Missed(kernel => new WithoutCalls(kernel, dropsStart: true)).Except(Harmless)];

        // A store to a page that is the process's alone removes nothing; the end of a process releases the guest before it removes anything.
        Assert.Equal(["exit", "user-store"], missed);
        Assert.DoesNotContain(
            "user-store", FoundOn(PageKind.Anonymous, kernel => new WithoutCalls(kernel, dropsStart: true)));
        Assert.Contains("user-store", FoundOn(PageKind.CopyOnWrite, kernel => new WithoutCalls(kernel, dropsStart: true)));
    }

    [Fact]
    public void Whoever_forgets_the_end_is_found()
    {
        // A guest may wait for ever for userfaultfd's monitor, so one that waits is no deadlock there.
        string[] missed = [.. Missed(kernel => new WithoutCalls(kernel, dropsStart: false)).Except(Harmless)];
        Assert.Equal(["exit", "uffd-wp", "user-store"], missed);
    }

    /// <summary>Operations that pass on some kind of memory.</summary>
    private static IEnumerable<string> Missed(Func<KernelModel, MmuNotifier> notifier)
        => Run(new KernelParts { MmuNotifier = notifier })
            .Where(result => result.Report.Verdict == Verdict.Pass)
            .Select(result => result.Cell.Operations[0].Id).Distinct().Order(StringComparer.Ordinal);

    private static IEnumerable<string> FoundOn(PageKind kind, Func<KernelModel, MmuNotifier> notifier)
        => Run(new KernelParts { MmuNotifier = notifier })
            .Where(result => result.Cell.Kind == kind && result.Report.Verdict == Verdict.Violation).Select(result => result.Cell.Operations[0].Id);

    /// <summary>On small pages: what splits a huge one, or finds it huge already, takes nothing away.</summary>
    private static IReadOnlyList<PairResult> Run(KernelParts parts) => PairRun.Run(
        [.. PairMatrix.Alone(OperationList.All, [], RangeRelation.Same, Bystander.Guest).Where(cell => cell.Kind != PageKind.Huge)],
        new PairSetup { Parts = parts }, new CheckOptions { Workers = 2, MinimiserStatesMax = 100 });

    private sealed class WithoutCalls(KernelModel kernel, bool dropsStart) : MmuNotifier(kernel)
    {
        private readonly bool _dropsStart = dropsStart;

        public override async Proc InvalidateRangeStart(Cpu cpu, Mm mm, int first, int count)
        {
            if (!_dropsStart)
            {
                await base.InvalidateRangeStart(cpu, mm, first, count);
            }
        }

        public override async Proc InvalidateRangeEnd(Cpu cpu, Mm mm, int first, int count)
        {
        }
    }
}
