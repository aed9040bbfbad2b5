using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Differential;

/// <summary>Random programs with pins, sleepable RCU and tasks that move: reduction changes no verdict and no final state.</summary>
public sealed class RandomTaskProgramTests
{
    private const int Programs = 300;

    /// <summary>About 60,000 states.</summary>
    private const long SlowBytes = 3 << 19;

    [Theory]
    [InlineData(TaskFamily.Pins)]
    [InlineData(TaskFamily.Srcu)]
    [InlineData(TaskFamily.Movable)]
    public void Reduction_on_agrees_with_reduction_off(TaskFamily family) => Compare(family, Programs, 0.85, MemoryModelKind.Sc);

    [Theory]
    [InlineData(TaskFamily.Pins)]
    [InlineData(TaskFamily.Srcu)]
    [InlineData(TaskFamily.Movable)]
    public void Reduction_agrees_under_store_buffers(TaskFamily family) => Compare(family, Programs / 3, 0.7, MemoryModelKind.X86Tso);

    [Fact]
    public void The_incremental_fingerprint_equals_the_one_from_scratch()
    {
        for (int seed = 0; seed < 150; seed++)
        {
            FingerprintWalk.Check(new RandomTaskProgram((TaskFamily)(seed % 3), seed).Build(seed % 4).Machine, seed, 60);
        }
    }

    private static void Compare(TaskFamily family, int count, double share, MemoryModelKind model)
    {
        int violations = Comparison.Run(count, share, ("reduction off", "reduction on"), seed =>
        {
            var program = new RandomTaskProgram(family, seed);
            return (Explore(program.Build(seed % 4, model), false), Explore(program.Build(seed % 4, model), true), program);
        });
        Assert.True(violations > 0 && violations < count * 9 / 10, $"{violations} of {count} programs violate: no teeth");
    }

    private static ExplorationResult Explore(CheckModel model, bool reduction) => Explorer.Explore(model, new CheckOptions
    {
        Workers = 1,
        Reduction = reduction,
        CollectFinalStates = true,
        MemoryBytes = SlowBytes,
    });
}
