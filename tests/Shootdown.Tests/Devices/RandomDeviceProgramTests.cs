using Shootdown.Check;
using Shootdown.Machine;
using Shootdown.Tests.Differential;

namespace Shootdown.Tests.Devices;

/// <summary>
/// Hundreds of random programs with a device, each explored in a fast way and in a slow one: the verdicts must agree. A failure prints the program.
/// </summary>
public sealed class RandomDeviceProgramTests
{
    private const int Programs = 300;

    /// <summary>About 60,000 states: what needs more is skipped, and the test counts how many were not.</summary>
    private const long SlowBytes = 3 << 19;

    [Fact]
    public void Lagging_TLBs_of_devices_agree_with_explicit_ones()
        => Compare(Programs / 2, 0.9, (program, property) => (
            Check(program.Build(TlbKind.Explicit, MemoryModelKind.Sc, property, small: true)),
            Check(program.Build(TlbKind.Lagging, MemoryModelKind.Sc, property, small: true))));

    [Fact]
    public void Reduction_agrees_with_all_interleavings()
        => Compare(Programs, 0.9, (program, property) => (
            Check(program.Build(TlbKind.Lagging, MemoryModelKind.Sc, property), reduction: false),
            Check(program.Build(TlbKind.Lagging, MemoryModelKind.Sc, property))));

    [Fact]
    public void Reduction_agrees_under_store_buffers()
        => Compare(Programs / 3, 0.9, (program, property) => (
            Check(program.Build(TlbKind.Lagging, MemoryModelKind.X86Tso, property), reduction: false),
            Check(program.Build(TlbKind.Lagging, MemoryModelKind.X86Tso, property))));

    /// <summary>What a device makes of an access must not be lost when a step is taken back.</summary>
    [Fact]
    public void The_incremental_fingerprint_equals_the_one_from_scratch()
    {
        for (int seed = 0; seed < 100; seed++)
        {
            TlbKind tlb = seed % 4 == 0 ? TlbKind.Explicit : TlbKind.Lagging;
            FingerprintWalk.Check(new RandomDeviceProgram(seed).Build(tlb, MemoryModelKind.Sc, seed % 3).Machine, seed, 40);
        }
    }

    private static void Compare(int programs, double decided, Func<RandomDeviceProgram, int, (CheckReport Slow, CheckReport Fast)> run)
    {
        int compared = 0;
        int violations = 0;
        for (int seed = 0; seed < programs; seed++)
        {
            var program = new RandomDeviceProgram(seed);
            (CheckReport slow, CheckReport fast) = run(program, seed / 2 % 3);
            if (slow.Verdict == Verdict.Inconclusive || fast.Verdict == Verdict.Inconclusive)
            {
                continue;
            }

            compared++;
            violations += slow.Verdict == Verdict.Violation ? 1 : 0;
            Assert.True(
                slow.Verdict == fast.Verdict,
                $"{slow.Verdict} in the slow way, {fast.Verdict} in the fast one: {fast.Counterexample?.Sentence}\n{program}");
        }

        Assert.True(compared >= programs * decided, $"only {compared} of {programs} programs could be compared");
        Assert.True(
            violations > programs / 10 && violations < compared * 9 / 10, $"{violations} of {compared} programs violate: no teeth");
    }

    private static CheckReport Check(CheckModel model, bool reduction = true)
        => Checker.Check(
            new CheckSubject("random", string.Empty, string.Empty, "random", null, []), () => model,
            new CheckOptions { Workers = 1, Reduction = reduction, MinimiserStatesMax = 100, MemoryBytes = SlowBytes });
}
